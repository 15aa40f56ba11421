"""An objective: one bound on one metric, whether it was written inline or in an SLO file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.scenario.metrics import LATENCY_METRICS, Metric, Op, parse_threshold
from harness.scenario.model import Scenario, Slo
from harness.scenario.slo_file import read_slo_file
from harness.scenario.units import Rate

__all__ = ["LATENCY_METRICS", "Metric", "Objective", "Op", "latency_thresholds_seconds", "objectives"]


@dataclass(frozen=True, slots=True)
class Objective:
    """``metric`` (at its ``percentile``) must be ``op`` ``threshold`` in ``stages`` (empty: the whole run).

    ``threshold`` is in seconds, a share from 0 to 1, or per second, by the metric. ``source`` says where the
    objective was written.
    """

    name: str
    metric: Metric
    percentile: float | None
    op: Op
    threshold: float
    stages: tuple[str, ...] = ()
    source: str = ""

    @property
    def is_latency(self) -> bool:
        """Say whether the objective bounds a percentile of a latency, and so counts for goodput."""
        return self.metric in LATENCY_METRICS

    def applies_to(self, stage: str) -> bool:
        """Say whether requests of the stage fall under the objective."""
        return not self.stages or stage in self.stages


def objectives(scenario: Scenario) -> tuple[Objective, ...]:
    """Return the scenario's objectives, inline ones first, then those of its SLO files.

    Raises ValueError for a threshold in ``x`` (resolve the scenario first) and UsageError for an SLO file.
    """
    return tuple(_objective(slo, scenario.name) for slo in all_slos(scenario))


def latency_thresholds_seconds(objectives: Iterable[Objective]) -> tuple[float, ...]:
    """Return the thresholds of all latency objectives, ascending, each once."""
    return tuple(sorted({objective.threshold for objective in objectives if objective.is_latency}))


def all_slos(scenario: Scenario) -> tuple[Slo, ...]:
    """Return the inline SLOs and those read from the SLO files. Raises UsageError for a file."""
    from_files = (slo for file in scenario.slo_files for slo in read_slo_file(Path(file)))
    return (*scenario.slos, *from_files)


def _objective(slo: Slo, scenario_name: str) -> Objective:
    op: Op = "at_most" if slo.at_most is not None else "at_least"
    threshold = parse_threshold(slo.metric, slo.threshold, unit_required=False)
    if isinstance(threshold, Rate):
        threshold = threshold.absolute(None).value
    source = slo.source or scenario_name
    return Objective(slo.name, slo.metric, slo.percentile, op, threshold, slo.stages or (), source)
