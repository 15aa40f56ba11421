"""What the target tells. OpenTelemetry's GenAI names where they exist, ``tidegate_target_*`` where not."""

from __future__ import annotations

from observability.metric import Metric

TARGET_METRICS: tuple[Metric, ...] = (
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
        "tidegate_target_info",
        "gauge",
        "1",
        "Always 1; the labels tell what serves.",
        "target",
        ("model", "engine", "version"),
        across="max",
    ),
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
    Metric("tidegate_target_decode_seconds", "histogram", "s", "From first token to last token.", "target"),
    Metric("tidegate_target_step_seconds", "histogram", "s", "Duration of one engine step.", "target"),
    Metric("tidegate_target_batch_size", "histogram", "1", "Sequences in one engine step.", "target"),
    Metric(
        "tidegate_target_loop_lag_seconds",
        "histogram",
        "s",
        "How late the API's event loop came round, every 20 ms.",
        "target",
    ),
    Metric("tidegate_target_spans_dropped", "counter", "1", "Spans lost before export.", "target"),
    Metric(
        "tidegate_target_log_entries",
        "counter",
        "1",
        "Log lines for Elasticsearch, by what became of them; no series where none are shipped.",
        "target",
        ("fate",),
    ),
)
