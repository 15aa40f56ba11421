"""The target's Prometheus metrics; names, units and labels are those of `observability.names`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from observability.buckets import latency_buckets
from observability.names import BY_NAME
from observability.process import register_process_collectors
from target_server.engine.protocol import Engine, EngineStats
from target_server.telemetry.exchange import Exchange
from target_server.telemetry.log_entries import LogEntriesCollector

# A step of a small model on a GPU takes less than a millisecond: the usual bounds begin at 5 ms.
_FAST_SECONDS = tuple(float(f"{1e-4 * 1.25**step:.3g}") for step in range(18))
_BATCH_SIZES = tuple(float(2**power) for power in range(11))


class TargetMetrics:
    """Every family of the target's page, in a registry of its own so that tests read values back."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        latency, fast = latency_buckets(), latency_buckets(_FAST_SECONDS)
        self.time_to_first_token = self._histogram("gen_ai_server_time_to_first_token_seconds", latency)
        self.time_per_output_token = self._histogram("gen_ai_server_time_per_output_token_seconds", fast)
        self.request_duration = self._histogram("gen_ai_server_request_duration_seconds", latency)
        self.queue_seconds = self._histogram("tidegate_target_queue_seconds", fast)
        self.prefill_seconds = self._histogram("tidegate_target_prefill_seconds", fast)
        self.decode_seconds = self._histogram("tidegate_target_decode_seconds", latency)
        self.loop_lag = self._histogram("tidegate_target_loop_lag_seconds", fast)
        self.step_seconds = self._histogram("tidegate_target_step_seconds", fast)
        self.batch_size = self._histogram("tidegate_target_batch_size", _BATCH_SIZES)
        self.requests = self._counter("tidegate_target_requests")
        self.prompt_tokens = self._counter("tidegate_target_prompt_tokens")
        self.output_tokens = self._counter("tidegate_target_output_tokens")
        self.rejected = self._counter("tidegate_target_rejected")
        self.cancelled = self._counter("tidegate_target_cancelled")
        self.spans_dropped = self._counter("tidegate_target_spans_dropped")
        self.log_entries = LogEntriesCollector()
        self.registry.register(self.log_entries)

    def watch(self, engine: Engine) -> None:
        """Tell what serves, and add its levels and the process' readings, taken when the page is read."""
        info = BY_NAME["tidegate_target_info"]
        labels = (engine.model_id, engine.name, version("tidegate"))
        Gauge(info.name, info.help, info.labels, registry=self.registry).labels(*labels).set(1)
        self.registry.register(_EngineCollector(engine.stats))
        register_process_collectors(self.registry)

    def observe_first_token(self, exchange: Exchange) -> None:
        """Observe TTFT, as soon as it is known."""
        _observe(self.time_to_first_token, exchange.time_to_first_token_seconds, _exemplar(exchange))

    def observe_end(self, exchange: Exchange) -> None:
        """Count the finished request. Durations are those of successes: a fast refusal is no fast answer."""
        self.requests.labels(status=str(exchange.status), outcome=exchange.outcome).inc()
        if exchange.outcome == "cancelled":
            self.cancelled.inc()
        exemplar = _exemplar(exchange)
        _observe(self.queue_seconds, exchange.queue_seconds, exemplar)
        _observe(self.prefill_seconds, exchange.prefill_seconds, exemplar)
        if exchange.outcome == "ok":
            _observe(self.decode_seconds, exchange.decode_seconds, exemplar)
            _observe(self.time_per_output_token, exchange.time_per_output_token_seconds, exemplar)
            _observe(self.request_duration, exchange.duration_seconds, exemplar)

    def page(self, accept: str) -> tuple[bytes, str]:
        """Return (body, content type): OpenMetrics, which carries exemplars, when ``accept`` asks for it."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def _counter(self, name: str) -> Counter:
        entry = BY_NAME[name]
        return Counter(name, entry.help, entry.labels, registry=self.registry)

    def _histogram(self, name: str, bounds: Sequence[float]) -> Histogram:
        entry = BY_NAME[name]
        return Histogram(name, entry.help, entry.labels, registry=self.registry, buckets=bounds)


class _EngineCollector(Collector):
    """Levels that the engine already keeps: read at the scrape, they cost nothing in between."""

    def __init__(self, stats: Callable[[], EngineStats]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        stats = self._stats()
        yield _gauge("tidegate_target_queue_depth", stats.waiting)
        yield _gauge("tidegate_target_running", stats.running)
        yield _gauge("tidegate_target_kv_used_share", stats.kv_used_share)
        yield _gauge("tidegate_target_processes", 1)
        failures = BY_NAME["tidegate_target_engine_failures"]
        yield CounterMetricFamily(failures.name, failures.help, value=stats.step_failures_total)


def _gauge(name: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, BY_NAME[name].help, value=value)


def _exemplar(exchange: Exchange) -> dict[str, str] | None:
    """Point at the trace, but only at one that somebody stores."""
    trace = exchange.trace
    return {"trace_id": trace.trace_id} if trace is not None and trace.sampled else None


def _observe(histogram: Histogram, seconds: float | None, exemplar: dict[str, str] | None) -> None:
    if seconds is not None:
        histogram.observe(seconds, exemplar)
