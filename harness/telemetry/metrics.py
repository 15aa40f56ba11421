"""The harness's own Prometheus page, one for each worker process."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from harness.measure.record import OUTCOMES, Outcome
from harness.measure.record_batch import RecordBatch
from harness.measure.timings import Mask
from harness.telemetry.bulk_histogram import BulkHistogram
from observability.buckets import latency_buckets
from observability.names import BY_NAME
from observability.process import register_process_collectors

_NO_ROWS = np.empty(0, np.intp)


class HarnessMetrics:
    """Counts the records of one worker into a registry.

    ``thresholds_seconds`` become histogram bounds, so that "share within the objective" is exact on the page.
    """

    def __init__(self, registry: CollectorRegistry, thresholds_seconds: Iterable[float] = ()) -> None:
        buckets = latency_buckets(thresholds_seconds)
        self._registry = registry
        self._ttft = self._histogram("tidegate_time_to_first_token_seconds", buckets)
        self._duration = self._histogram("gen_ai_client_operation_duration_seconds", buckets)
        self._delay = self._histogram("tidegate_schedule_delay_seconds", latency_buckets((0.0001, 0.001)))
        self._arrivals = self._counter("tidegate_arrivals")
        self._sent = self._counter("tidegate_sent")
        self._completed = self._counter("tidegate_completed")
        self._tokens = self._counter("tidegate_output_tokens")
        for outcome in Outcome:  # a series that is absent is not zero: start them all
            self._completed.labels(outcome)
        register_process_collectors(registry)

    def observe_batch(self, batch: RecordBatch) -> None:
        """Count finished arrivals. Exemplars are the newest sampled traces, at most one in each bucket."""
        self._arrivals.inc(len(batch))
        self._observe_ends(batch)
        sent, answered = batch.was_sent, batch.has_token
        self._sent.inc(int(sent.sum()))
        self._delay.observe_many((batch.sent_ns - batch.intended_ns)[sent], _NO_ROWS, lambda _row: {})
        self._observe(self._ttft, batch, batch.first_token_ns, answered)
        self._tokens.inc(int(batch.output_tokens[answered].sum()))

    def _observe_ends(self, batch: RecordBatch) -> None:
        counts = np.bincount(batch.outcome, minlength=len(OUTCOMES))
        for code in np.flatnonzero(counts):
            outcome = OUTCOMES[code]
            self._completed.labels(outcome).inc(int(counts[code]))
            self._observe(self._duration.labels(outcome), batch, batch.end_ns, batch.outcome == code)

    def _observe(
        self, histogram: BulkHistogram, batch: RecordBatch, until_ns: NDArray[np.int64], which: Mask
    ) -> None:
        """Count the time from the due instant to another, with the sampled traces as exemplars."""
        rows = np.flatnonzero(which)
        histogram.observe_many(
            (until_ns - batch.intended_ns)[rows],
            np.flatnonzero(batch.sampled[rows]),
            lambda row: {"trace_id": batch.trace_id(int(rows[row]))},
        )

    def watch(self, in_flight: Callable[[], float], loop_lag_p99_seconds: Callable[[], float]) -> None:
        """Read these two when the page is asked for."""
        self._gauge("tidegate_in_flight").set_function(in_flight)
        self._gauge("tidegate_loop_lag_seconds").set_function(loop_lag_p99_seconds)

    def serve(self, port: int, address: str = "127.0.0.1") -> None:
        """Serve the page until the process ends."""
        start_http_server(port, addr=address, registry=self._registry)

    def _counter(self, name: str) -> Counter:
        metric = BY_NAME[name]
        return Counter(metric.name, metric.help, metric.labels, registry=self._registry)

    def _gauge(self, name: str) -> Gauge:
        metric = BY_NAME[name]
        return Gauge(metric.name, metric.help, metric.labels, registry=self._registry)

    def _histogram(self, name: str, buckets: tuple[float, ...]) -> BulkHistogram:
        metric = BY_NAME[name]
        return BulkHistogram(
            metric.name, metric.help, metric.labels, registry=self._registry, buckets=buckets
        )
