"""Which answers are good so far: for whoever watches a run, before its records are judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.measure.record_batch import RecordBatch
from harness.measure.timings import (
    Mask,
    Seconds,
    latency_seconds,
    mean_gap_seconds,
    schedule_delay_seconds,
    tpot_seconds,
)
from harness.scenario.objective import Objective

_SECONDS_OF: dict[str, Callable[[RecordBatch], Seconds]] = {
    "ttft": lambda b: latency_seconds(b.intended_ns, b.first_token_ns, b.ok),
    "ttft_service": lambda b: latency_seconds(b.sent_ns, b.first_token_ns, b.ok),
    "e2e": lambda b: latency_seconds(b.intended_ns, b.end_ns, b.ok),
    "tpot": lambda b: tpot_seconds(b.first_token_ns, b.last_token_ns, b.output_tokens, b.ok),
    "itl": lambda b: mean_gap_seconds(b.first_token_ns, b.last_token_ns, b.chunks, b.ok),
    "schedule_delay": lambda b: schedule_delay_seconds(b.intended_ns, b.sent_ns),
}
"""The same formulas as ``attainment`` has over a whole run's records."""


class LiveGoodput:
    """Counts, as records come in, those that succeed within every latency objective of their stage."""

    def __init__(self, objectives: Sequence[Objective], stage_names: Sequence[str]) -> None:
        self._bounds = [(o, stages_of(o, stage_names)) for o in objectives if o.is_latency]
        self.good = 0

    def take(self, batch: RecordBatch) -> None:
        """Count one batch."""
        good = batch.ok.copy()
        for objective, applies in self._bounds:
            good &= meets(batch, objective) | ~applies[batch.stage]
        self.good += int(good.sum())


def stages_of(objective: Objective, stage_names: Sequence[str]) -> NDArray[np.bool_]:
    """Return, for each stage, whether the objective applies to it."""
    return np.array([objective.applies_to(name) for name in stage_names], dtype=np.bool_)


def meets(batch: RecordBatch, objective: Objective) -> Mask:
    """Return which requests are within a latency objective's threshold; what is undefined is within it."""
    seconds = _SECONDS_OF[objective.metric](batch)
    within = seconds <= objective.threshold if objective.op == "at_most" else seconds >= objective.threshold
    return np.asarray(within | np.isnan(seconds))
