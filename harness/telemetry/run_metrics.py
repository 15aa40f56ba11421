"""Which run this is and what it is held to: gauges that stand still while the run goes on.

Ids of runs are on no other series: a query of one run joins on ``tidegate_run_info`` by job and instance. A
worker's counters begin at zero with each run, so a finished run is its last value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge

from harness.measure.live_objectives import LiveObjective
from harness.scenario.model import Scenario
from observability.names import BY_NAME


@dataclass(frozen=True, slots=True)
class RunFacts:
    """``version`` is tidegate's own. The two limits are p99s in seconds; beyond them the run is INVALID."""

    run_id: str
    scenario: Scenario
    version: str
    schedule_delay_limit_seconds: float
    loop_lag_limit_seconds: float


class RunMetrics:
    """Puts the facts onto a page; the clock's zero comes with ``start``."""

    def __init__(
        self, registry: CollectorRegistry, facts: RunFacts, objectives: Sequence[LiveObjective]
    ) -> None:
        self._registry = registry
        self._scenario = facts.scenario
        self._tell_run(facts)
        self._tell_limits(facts)
        self._tell_objectives(objectives)
        self._start = self._gauge("tidegate_run_start_time_seconds")
        self._stages = self._gauge("tidegate_stage_start_time_seconds")

    def start(self, wall_seconds: float) -> None:
        """Tell when the run and each of its stages begin, in seconds since 1970."""
        self._start.set(wall_seconds)
        starts = self._scenario.stage_starts_seconds()
        for stage, start_seconds in zip(self._scenario.stages, starts, strict=True):
            self._stages.labels(stage.name).set(wall_seconds + start_seconds)

    def _tell_run(self, facts: RunFacts) -> None:
        model = facts.scenario.target.model or ""
        labels = (facts.run_id, facts.scenario.name, model, facts.version)
        self._gauge("tidegate_run_info").labels(*labels).set(1)

    def _tell_limits(self, facts: RunFacts) -> None:
        limits = self._gauge("tidegate_lateness_limit_seconds")
        limits.labels("schedule_delay").set(facts.schedule_delay_limit_seconds)
        limits.labels("loop_lag").set(facts.loop_lag_limit_seconds)
        self._gauge("tidegate_dropped_limit_share").set(facts.scenario.limits.dropped_share)

    def _tell_objectives(self, objectives: Sequence[LiveObjective]) -> None:
        target = self._gauge("tidegate_objective_target_share")
        threshold = self._gauge("tidegate_objective_threshold_seconds")
        for counted in objectives:
            objective = counted.objective
            target.labels(objective.name).set(counted.target_share)
            if objective.is_latency:
                threshold.labels(objective.name, objective.metric).set(objective.threshold)

    def _gauge(self, name: str) -> Gauge:
        metric = BY_NAME[name]
        return Gauge(metric.name, metric.help, metric.labels, registry=self._registry)
