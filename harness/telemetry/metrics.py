"""The harness's own Prometheus page, one for each worker process."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from harness.measure.record import Outcome, RequestRecord
from observability.buckets import latency_buckets
from observability.names import BY_NAME
from observability.process import register_process_collectors

_NS_PER_SECOND = 1e9


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

    def observe(self, record: RequestRecord) -> None:
        """Count one finished arrival. The exemplar is its trace, where that trace was sampled."""
        exemplar = {"trace_id": record.trace_id} if record.sampled else None
        self._arrivals.inc()
        self._completed.labels(record.outcome).inc()
        self._duration.labels(record.outcome).observe(_seconds(record.end_ns - record.intended_ns), exemplar)
        if record.sent_ns is not None:
            self._sent.inc()
            self._delay.observe(_seconds(record.sent_ns - record.intended_ns))
        if record.first_token_ns is not None:
            self._ttft.observe(_seconds(record.first_token_ns - record.intended_ns), exemplar)
            self._tokens.inc(record.output_tokens)

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

    def _histogram(self, name: str, buckets: tuple[float, ...]) -> Histogram:
        metric = BY_NAME[name]
        return Histogram(metric.name, metric.help, metric.labels, registry=self._registry, buckets=buckets)


def _seconds(nanoseconds: int) -> float:
    return nanoseconds / _NS_PER_SECOND
