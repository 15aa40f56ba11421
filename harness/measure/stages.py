"""The scenario's stages as time windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.measure.bootstrap import Stratum
from harness.scenario.model import Scenario


@dataclass(frozen=True, slots=True)
class Window:
    """A stage's name and its time, in seconds after the run's start; the end does not belong to it."""

    name: str
    start_seconds: float
    end_seconds: float

    @property
    def duration_seconds(self) -> float:
        """The window's length."""
        return self.end_seconds - self.start_seconds


def stage_windows(scenario: Scenario) -> tuple[Window, ...]:
    """Return one window per stage, in order."""
    starts = scenario.stage_starts_seconds()
    pairs = zip(scenario.stages, starts, strict=True)
    return tuple(Window(stage.name, start, start + stage.duration) for stage, start in pairs)


def whole_window(windows: Sequence[Window]) -> Window:
    """Return the window of all stages together; the drain after them does not belong to it."""
    return Window("whole", 0.0, windows[-1].end_seconds)


@dataclass(frozen=True, slots=True)
class Seconds:
    """The seconds of some stages, numbered as if nothing lay between them.

    ``of_request[i]`` is the second in which request i was due. ``widths`` is 1 for every second, and less for
    the last one when the stages are not whole seconds long; ``stage`` is the stage in which a second begins.
    """

    of_request: NDArray[np.int64]
    widths: NDArray[np.float64]
    stage: NDArray[np.int64]

    def count(self, which: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return how many of the marked requests were due in each second."""
        return np.bincount(self.of_request[which], minlength=len(self.widths)).astype(np.float64)


def seconds_of_stages(
    due_seconds: NDArray[np.float64], stage: NDArray[np.uint8], windows: Sequence[Window], chosen: set[str]
) -> Seconds:
    """Return the seconds of the chosen stages; every request must be due in one of them."""
    lengths = np.array([w.duration_seconds if w.name in chosen else 0.0 for w in windows])
    ends = np.cumsum(lengths)
    shift = ends - lengths - np.array([w.start_seconds for w in windows])
    bins = max(1, math.ceil(ends[-1] - 1e-9))
    widths = np.ones(bins)
    widths[-1] = ends[-1] - (bins - 1)
    return Seconds(
        of_request=np.clip(np.floor(due_seconds + shift[stage]), 0, bins - 1).astype(np.int64),
        widths=widths,
        stage=np.searchsorted(ends, np.arange(bins) + 1e-9).astype(np.int64),
    )


def strata(
    values: NDArray[np.float64], stage: NDArray[np.uint8], windows: Sequence[Window]
) -> tuple[Stratum, ...]:
    """Return the values of each stage that has any; nan (undefined for that request) is left out."""
    defined = ~np.isnan(values)
    by_stage = (values[defined & (stage == index)] for index in range(len(windows)))
    pairs = zip(by_stage, windows, strict=True)
    return tuple(Stratum(mine, window.duration_seconds) for mine, window in pairs if len(mine))
