"""What was offered under each objective and what of it was good, while a run goes on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.measure.live_goodput import meets, stages_of
from harness.measure.record import OUTCOMES, Outcome
from harness.measure.record_batch import RecordBatch
from harness.measure.timings import Mask
from harness.scenario.objective import Objective

_REJECTED = OUTCOMES.index(Outcome.REJECTED)


class LiveObjective:
    """One objective as two counts. ``target_share``: what share of ``offered`` must be ``good``."""

    def __init__(self, objective: Objective, stage_names: Sequence[str]) -> None:
        self.objective = objective
        self.target_share = _target_share(objective)
        self.offered = 0
        self.good = 0
        self._applies = stages_of(objective, stage_names)

    def take(self, batch: RecordBatch) -> None:
        """Count one batch."""
        applies = self._applies[batch.stage]
        self.offered += int(applies.sum())
        self.good += int((applies & _is_good(batch, self.objective)).sum())


def countable(objectives: Sequence[Objective], stage_names: Sequence[str]) -> tuple[LiveObjective, ...]:
    """Return the objectives that are a share of single requests: latencies, error share, shed share."""
    return tuple(LiveObjective(each, stage_names) for each in objectives if _is_countable(each))


def _is_countable(objective: Objective) -> bool:
    shares = objective.metric in ("error_share", "shed_share") and objective.op == "at_most"
    return objective.is_latency or shares


def _target_share(objective: Objective) -> float:
    if objective.percentile is not None:
        return objective.percentile / 100
    return 1 - objective.threshold


def _is_good(batch: RecordBatch, objective: Objective) -> Mask:
    rejected = batch.outcome == _REJECTED
    if objective.metric == "shed_share":
        return np.asarray(~rejected)
    if objective.metric == "error_share":
        return np.asarray(batch.ok | rejected)
    return meets(batch, objective)  # a failure has infinite latencies
