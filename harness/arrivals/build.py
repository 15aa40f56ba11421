"""Build the plan: every stage's arrivals one after the other, each stage with random numbers of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.arrivals.plan import Plan
from harness.arrivals.rate_curve import expected_count, rate_curve
from harness.arrivals.renewal import arrivals_up_to, burstiness
from harness.errors import UsageError
from harness.scenario.model import Scenario, Stage
from harness.scenario.trace_file import Trace, read_trace

MAX_ARRIVALS = 100_000_000
"""More than a run can record; a mistyped rate meets this before it fills the memory."""


def build_plan(scenario: Scenario) -> Plan:
    """Return the plan of a scenario with absolute rates. The same scenario and seed give the same plan.

    Raises ValueError for rates in ``x`` and UsageError for a trace that cannot be read or a plan beyond
    ``MAX_ARRIVALS``.
    """
    _refuse_too_many(scenario.stages)
    traces = {index: _window(stage) for index, stage in enumerate(scenario.stages) if stage.trace}
    offsets = [
        start + _stage_offsets(stage, index, scenario.seed, traces.get(index))
        for index, (stage, start) in enumerate(
            zip(scenario.stages, scenario.stage_starts_seconds(), strict=True)
        )
    ]
    counts = [len(times) for times in offsets]
    whole = len(traces) == len(scenario.stages)
    return Plan(
        offsets_seconds=np.concatenate(offsets),
        stage=np.repeat(np.arange(len(counts), dtype=np.uint8), counts),
        seq=np.arange(sum(counts), dtype=np.int64),
        input_tokens=_joined([trace.input_tokens for trace in traces.values()]) if whole else None,
        output_tokens=_joined([trace.output_tokens for trace in traces.values()]) if whole else None,
    )


def _refuse_too_many(stages: Sequence[Stage]) -> None:
    expected = sum(expected_count(rate_curve(stage)) for stage in stages if stage.trace is None)
    if expected > MAX_ARRIVALS:
        raise UsageError(
            f"the scenario plans {expected:.0f} arrivals; at most {MAX_ARRIVALS} fit into one run: "
            "lower the rates or shorten the stages"
        )


def _stage_offsets(stage: Stage, index: int, seed: int, trace: Trace | None) -> NDArray[np.float64]:
    """Return seconds from the stage's start, ascending, all before its end."""
    if stage.trace is not None and trace is not None:
        offsets = trace.offsets_seconds / stage.trace.speed
    else:
        curve = rate_curve(stage)
        # One spawn key per stage: a change in one stage leaves the others' arrivals as they are.
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(index,))))
        offsets = curve.inverse(arrivals_up_to(expected_count(curve), burstiness(stage), random))
        # The inverse is right to the last bit but one, and neighbours may swap within it.
        offsets = np.maximum.accumulate(offsets)
    return np.minimum(offsets, np.nextafter(stage.duration, 0.0))


def _window(stage: Stage) -> Trace:
    """Read the part of the trace that the stage replays."""
    if stage.trace is None:
        raise ValueError(f"the stage {stage.name} replays no trace")
    trace = read_trace(stage.trace.file, stage.trace.format)
    return trace.window(stage.trace.start, stage.duration * stage.trace.speed)


def _joined(parts: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.concatenate(parts)
