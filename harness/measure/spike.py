"""When the spike begins and ends, and the calm stage that it is compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.measure.stages import Window, stage_windows
from harness.scenario.model import Scenario, Stage


@dataclass(frozen=True, slots=True)
class SpikeTimes:
    """Seconds after the run's start; ``baseline`` is the calm stage's window.

    ``end_seconds`` is when the rate begins to fall, ``named_end_seconds`` when the stage named as the spike
    ends.
    """

    start_seconds: float
    end_seconds: float
    named_end_seconds: float
    load_end_seconds: float
    baseline: Window


def spike_times(scenario: Scenario) -> SpikeTimes | None:
    """Return the spike's times, or None when the scenario marks no spike.

    It begins with the stage that ``spike.stage`` names. It ends at the instant from which the offered rate
    falls: at the end of that stage, or of the last stage after it whose rate has not fallen yet (steps and
    ramps upwards, plateaus), or at the start of a named stage that itself falls (a decay).
    """
    if scenario.spike is None:
        return None
    windows = stage_windows(scenario)
    names = [window.name for window in windows]
    first = names.index(scenario.spike.stage)
    return SpikeTimes(
        start_seconds=windows[first].start_seconds,
        end_seconds=_end_seconds(scenario, windows, first),
        named_end_seconds=windows[first].end_seconds,
        load_end_seconds=windows[-1].end_seconds,
        baseline=windows[names.index(scenario.spike.baseline)],
    )


def _end_seconds(scenario: Scenario, windows: tuple[Window, ...], first: int) -> float:
    end, height = windows[first].start_seconds, 0.0
    for stage, window in zip(scenario.stages[first:], windows[first:], strict=True):
        begin_rate, end_rate = _edge_rates(stage, is_named=stage is scenario.stages[first])
        if begin_rate < height or end_rate < begin_rate:
            break
        end, height = window.end_seconds, end_rate
    return end


def _edge_rates(stage: Stage, is_named: bool) -> tuple[float, float]:
    """Return the rates at the stage's two ends. A trace has none: as the named stage it is taken whole."""
    rates = stage.rates()
    if not rates:
        return (math.inf, math.inf) if is_named else (-math.inf, -math.inf)
    return rates[0].value, rates[-1].value
