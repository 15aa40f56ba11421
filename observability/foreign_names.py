"""What others emit and our queries read: vLLM and its like, node_exporter, Prometheus itself."""

from __future__ import annotations

from observability.alike import ALIKE, series_of
from observability.metric import Metric
from observability.names import METRICS

SCRAPE_LABELS = ("job", "instance")
"""What Prometheus adds to every series."""
RECORDED_LABELS = ("server",)
"""What our rules add to a foreign series that they give one of our names."""

_VLLM = ("engine", "model_name")

FOREIGN_METRICS: tuple[Metric, ...] = (
    Metric("up", "gauge", "1", "1 where the last scrape succeeded.", "foreign"),
    Metric("node_cpu_seconds", "counter", "s", "CPU time by mode.", "foreign", ("cpu", "mode")),
    Metric(
        "node_memory_MemAvailable_bytes", "gauge", "By", "Memory that can be had without swapping.", "foreign"
    ),
    Metric("node_memory_MemTotal_bytes", "gauge", "By", "Memory of the machine.", "foreign"),
    Metric("node_network_receive_bytes", "counter", "By", "Bytes received.", "foreign", ("device",)),
    Metric("node_network_transmit_bytes", "counter", "By", "Bytes sent.", "foreign", ("device",)),
    Metric("node_sockstat_TCP_inuse", "gauge", "1", "TCP sockets in use.", "foreign"),
    Metric(
        "vllm:num_preemptions",
        "counter",
        "1",
        "Sequences put back because the KV cache was full.",
        "foreign",
        _VLLM,
    ),
    Metric(
        "vllm:prefix_cache_queries",
        "counter",
        "1",
        "Prompt tokens looked up in the prefix cache.",
        "foreign",
        _VLLM,
    ),
    Metric("vllm:prefix_cache_hits", "counter", "1", "Those found there.", "foreign", _VLLM),
    Metric(
        "vllm:inter_token_latency_seconds", "histogram", "s", "Time between two tokens.", "foreign", _VLLM
    ),
    Metric("vllm:iteration_tokens_total", "histogram", "1", "Tokens in one engine step.", "foreign", _VLLM),
    Metric("vllm:request_prompt_tokens", "histogram", "1", "Prompt tokens of a request.", "foreign", _VLLM),
    Metric(
        "vllm:request_generation_tokens", "histogram", "1", "Generated tokens of a request.", "foreign", _VLLM
    ),
)


def known_series() -> dict[str, frozenset[str]]:
    """Return every series that a query may read, with the labels that it may name."""
    known = {
        series: frozenset((*metric.labels, *SCRAPE_LABELS, *RECORDED_LABELS, "le"))
        for metric in (*METRICS, *FOREIGN_METRICS)
        for series in metric.series
    }
    for row in ALIKE:
        labels = frozenset((*(name for name, _ in row.where), *SCRAPE_LABELS, "model_name", "le"))
        for _, theirs in series_of(row):
            known[theirs] = known.get(theirs, frozenset()) | labels
    return known
