"""The harness's own Prometheus page, one for each worker process: what its records tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter

from harness.measure.live_goodput import LiveGoodput
from harness.measure.live_objectives import LiveObjective, countable
from harness.measure.record import OUTCOMES, Outcome
from harness.measure.record_batch import RecordBatch
from harness.measure.timings import Mask
from harness.scenario.objective import Objective, latency_thresholds_seconds
from harness.telemetry.bulk_histogram import BulkHistogram
from observability.buckets import latency_buckets
from observability.names import BY_NAME
from observability.process import register_process_collectors

_NO_ROWS = np.empty(0, np.intp)


class HarnessMetrics:
    """Counts the records of one worker into a registry.

    The objectives' latency thresholds become histogram bounds, so that "share within the objective" is exact
    on the page. ``stage_names``: the scenario's, for objectives that are judged in some stages only.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        objectives: Sequence[Objective] = (),
        stage_names: Sequence[str] = ("",),
    ) -> None:
        buckets = latency_buckets(latency_thresholds_seconds(objectives))
        self._registry = registry
        self._ttft = self._histogram("tidegate_time_to_first_token_seconds", buckets)
        self._service_ttft = self._histogram("tidegate_service_time_to_first_token_seconds", buckets)
        self._duration = self._histogram("gen_ai_client_operation_duration_seconds", buckets)
        self._delay = self._histogram("tidegate_schedule_delay_seconds", latency_buckets((0.0001, 0.001)))
        self._completed = self._counter("tidegate_completed")
        self._good = self._counter("tidegate_good")
        self._tokens = self._counter("tidegate_output_tokens")
        self._objective_offered = self._counter("tidegate_objective_offered")
        self._objective_good = self._counter("tidegate_objective_good")
        self._goodput = LiveGoodput(objectives, stage_names)
        self._objectives = countable(objectives, stage_names)
        self._start_every_series()
        register_process_collectors(registry)

    def observe_batch(self, batch: RecordBatch) -> None:
        """Count finished arrivals. Exemplars are the newest sampled traces, at most one in each bucket."""
        self._observe_ends(batch)
        sent, answered = batch.was_sent, batch.has_token & batch.ok
        self._delay.observe_many((batch.sent_ns - batch.intended_ns)[sent], _NO_ROWS, lambda _row: {})
        self._observe(self._ttft, batch, batch.intended_ns, batch.first_token_ns, answered)
        self._observe(self._service_ttft, batch, batch.sent_ns, batch.first_token_ns, answered)
        self._tokens.inc(int(batch.output_tokens[batch.has_token].sum()))
        self._observe_good(batch)

    def _observe_ends(self, batch: RecordBatch) -> None:
        counts = np.bincount(batch.outcome, minlength=len(OUTCOMES))
        for code in np.flatnonzero(counts):
            outcome, ended = OUTCOMES[code], batch.outcome == code
            self._completed.labels(outcome).inc(int(counts[code]))
            self._observe(self._duration.labels(outcome), batch, batch.intended_ns, batch.end_ns, ended)

    def _observe_good(self, batch: RecordBatch) -> None:
        self._good.inc(_added(self._goodput, batch))
        for counted in self._objectives:
            offered, good = counted.offered, counted.good
            counted.take(batch)
            self._objective_offered.labels(counted.objective.name).inc(counted.offered - offered)
            self._objective_good.labels(counted.objective.name).inc(counted.good - good)

    def _observe(
        self,
        histogram: BulkHistogram,
        batch: RecordBatch,
        from_ns: NDArray[np.int64],
        until_ns: NDArray[np.int64],
        which: Mask,
    ) -> None:
        """Count the time between two instants, with the sampled traces as exemplars."""
        rows = np.flatnonzero(which)
        histogram.observe_many(
            (until_ns - from_ns)[rows],
            np.flatnonzero(batch.sampled[rows]),
            lambda row: {"trace_id": batch.trace_id(int(rows[row]))},
        )

    def _start_every_series(self) -> None:
        """Begin at zero: a series that is absent is not zero."""
        for outcome in Outcome:
            self._completed.labels(outcome)
        for counted in self._objectives:
            self._objective_offered.labels(counted.objective.name)
            self._objective_good.labels(counted.objective.name)

    @property
    def objectives(self) -> tuple[LiveObjective, ...]:
        """The objectives that are counted."""
        return self._objectives

    def _counter(self, name: str) -> Counter:
        metric = BY_NAME[name]
        return Counter(metric.name, metric.help, metric.labels, registry=self._registry)

    def _histogram(self, name: str, buckets: tuple[float, ...]) -> BulkHistogram:
        metric = BY_NAME[name]
        return BulkHistogram(
            metric.name, metric.help, metric.labels, registry=self._registry, buckets=buckets
        )


def _added(goodput: LiveGoodput, batch: RecordBatch) -> int:
    before = goodput.good
    goodput.take(batch)
    return goodput.good - before
