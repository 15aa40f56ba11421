"""Which requests meet which objectives: the ground of attainment and goodput."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from harness.measure.records import Records
from harness.measure.timings import Mask, Seconds
from harness.scenario.objective import Objective

_SECONDS_OF: dict[str, Callable[[Records], Seconds]] = {
    "ttft": lambda records: records.ttft_seconds,
    "ttft_service": lambda records: records.ttft_service_seconds,
    "e2e": lambda records: records.e2e_seconds,
    "tpot": lambda records: records.tpot_seconds,
    "schedule_delay": lambda records: records.schedule_delay_seconds,
    # A P99 of gaps does not bound one request's longest gap; its mean gap is what a request can be held to.
    "itl": lambda records: records.mean_gap_seconds,
}


def latency_of(records: Records, metric: str) -> Seconds:
    """Return a latency metric's value for each request (+inf: failed; nan: undefined for this request)."""
    return _SECONDS_OF[metric](records)


def meets(records: Records, objective: Objective) -> Mask:
    """Return which requests are within a latency objective's threshold; what is undefined is within it."""
    seconds = latency_of(records, objective.metric)
    within = seconds <= objective.threshold if objective.op == "at_most" else seconds >= objective.threshold
    return within | np.isnan(seconds)


def meets_all(records: Records, objectives: Iterable[Objective], stage_names: Sequence[str]) -> Mask:
    """Return which requests succeeded within every latency objective that applies to their stage."""
    good = records.ok.copy()
    for objective in objectives:
        if objective.is_latency:
            good &= meets(records, objective) | ~applies(records, objective, stage_names)
    return good


def applies(records: Records, objective: Objective, stage_names: Sequence[str]) -> Mask:
    """Return which requests were due in a stage that the objective applies to."""
    by_stage = np.array([objective.applies_to(name) for name in stage_names], dtype=np.bool_)
    return by_stage[records.stage]
