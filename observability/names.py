"""The table of every metric that tidegate emits: one place for name, type, unit, labels and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Half = Literal["harness", "target", "both"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family.

    ``name`` is the family's name in Prometheus' exposition (counters get ``_total`` there). ``unit`` is the
    base unit, "1" for counts and shares. ``labels`` are closed sets: no id of a run, request or trace.
    ``across`` is what the processes of one group make of it together, when one page tells of all of them.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    half: Half
    labels: tuple[str, ...] = ()
    across: Literal["sum", "mean", "max"] = "sum"


METRICS: tuple[Metric, ...] = (
    # OpenTelemetry's GenAI names where they exist.
    Metric(
        "gen_ai_server_time_to_first_token_seconds",
        "histogram",
        "s",
        "From the request's arrival to its first token.",
        "target",
    ),
    Metric(
        "gen_ai_server_time_per_output_token_seconds",
        "histogram",
        "s",
        "(last token − first token) ÷ (output tokens − 1).",
        "target",
    ),
    Metric(
        "gen_ai_server_request_duration_seconds",
        "histogram",
        "s",
        "From the request's arrival to its end.",
        "target",
    ),
    Metric(
        "gen_ai_client_operation_duration_seconds",
        "histogram",
        "s",
        "From when the request was due to its end, as the harness saw it.",
        "harness",
        ("outcome",),
    ),
    # The target's own.
    Metric(
        "tidegate_target_requests",
        "counter",
        "1",
        "Generation requests answered, whatever the answer.",
        "target",
        ("status", "outcome"),
    ),
    Metric("tidegate_target_prompt_tokens", "counter", "1", "Prompt tokens of accepted requests.", "target"),
    Metric(
        "tidegate_target_output_tokens",
        "counter",
        "1",
        "Generated tokens, as the answers' usage reports them.",
        "target",
    ),
    Metric(
        "tidegate_target_rejected", "counter", "1", "Requests refused because the queue was full.", "target"
    ),
    Metric("tidegate_target_cancelled", "counter", "1", "Requests whose client went away.", "target"),
    Metric(
        "tidegate_target_engine_failures", "counter", "1", "Steps that failed, with their streams.", "target"
    ),
    Metric("tidegate_target_queue_depth", "gauge", "1", "Requests waiting for a slot.", "target"),
    Metric("tidegate_target_running", "gauge", "1", "Requests that hold a slot.", "target"),
    Metric(
        "tidegate_target_kv_used_share",
        "gauge",
        "1",
        "Share of the KV cache in use, 0 to 1.",
        "target",
        across="mean",
    ),
    Metric("tidegate_target_processes", "gauge", "1", "Processes that this page adds up.", "target"),
    Metric("tidegate_target_queue_seconds", "histogram", "s", "Time spent waiting for a slot.", "target"),
    Metric("tidegate_target_prefill_seconds", "histogram", "s", "From slot to first token.", "target"),
    Metric("tidegate_target_step_seconds", "histogram", "s", "Duration of one engine step.", "target"),
    Metric("tidegate_target_batch_size", "histogram", "1", "Sequences in one engine step.", "target"),
    Metric("tidegate_target_spans_dropped", "counter", "1", "Spans lost before export.", "target"),
    # The harness's own.
    Metric("tidegate_arrivals", "counter", "1", "Planned arrivals that fell due.", "harness"),
    Metric("tidegate_sent", "counter", "1", "Requests sent.", "harness"),
    Metric("tidegate_completed", "counter", "1", "Arrivals that ended, by outcome.", "harness", ("outcome",)),
    Metric("tidegate_output_tokens", "counter", "1", "Tokens received.", "harness"),
    Metric("tidegate_in_flight", "gauge", "1", "Requests open now.", "harness"),
    Metric(
        "tidegate_time_to_first_token_seconds",
        "histogram",
        "s",
        "From when the request was due to its first token.",
        "harness",
    ),
    Metric("tidegate_schedule_delay_seconds", "histogram", "s", "Sent − due.", "harness"),
    Metric(
        "tidegate_loop_lag_seconds",
        "gauge",
        "s",
        "Lateness of the load loop's own timer, p99 so far.",
        "harness",
    ),
    # Read from the operating system and the GPU by both.
    Metric("tidegate_process_cpu_seconds", "counter", "s", "CPU time of this process.", "both"),
    Metric("tidegate_process_resident_bytes", "gauge", "By", "Resident memory of this process.", "both"),
    Metric("tidegate_process_open_sockets", "gauge", "1", "Open sockets of this process.", "both"),
    Metric(
        "tidegate_gpu_memory_used_bytes",
        "gauge",
        "By",
        "Used memory of the GPU.",
        "both",
        ("gpu",),
        across="max",  # each process reads the whole device
    ),
    Metric(
        "tidegate_gpu_utilization_share",
        "gauge",
        "1",
        "Share of time the GPU was busy.",
        "both",
        ("gpu",),
        across="max",
    ),
)

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}
