"""What the load generator tells, a page for each worker. Its series begin at zero with each run."""

from __future__ import annotations

from observability.metric import Metric

HARNESS_METRICS: tuple[Metric, ...] = (
    Metric(
        "gen_ai_client_operation_duration_seconds",
        "histogram",
        "s",
        "From when the request was due to its end, as the harness saw it.",
        "harness",
        ("outcome",),
    ),
    Metric("tidegate_arrivals", "counter", "1", "Planned arrivals that fell due.", "harness"),
    Metric("tidegate_sent", "counter", "1", "Requests sent.", "harness"),
    Metric("tidegate_completed", "counter", "1", "Arrivals that ended, by outcome.", "harness", ("outcome",)),
    Metric("tidegate_good", "counter", "1", "Answers within every latency objective.", "harness"),
    Metric("tidegate_output_tokens", "counter", "1", "Tokens received.", "harness"),
    Metric("tidegate_in_flight", "gauge", "1", "Requests open now.", "harness"),
    Metric(
        "tidegate_time_to_first_token_seconds",
        "histogram",
        "s",
        "From when the request was due to its first token; of requests that were answered.",
        "harness",
    ),
    Metric(
        "tidegate_service_time_to_first_token_seconds",
        "histogram",
        "s",
        "From when the request was sent to its first token; of requests that were answered.",
        "harness",
    ),
    # The scenario's objectives, as what was offered under each and what of it was good.
    Metric(
        "tidegate_objective_offered",
        "counter",
        "1",
        "Ended arrivals that the objective applies to.",
        "harness",
        ("objective",),
    ),
    Metric("tidegate_objective_good", "counter", "1", "Those that meet it.", "harness", ("objective",)),
    Metric(
        "tidegate_objective_target_share",
        "gauge",
        "1",
        "Share of the offered that must meet the objective, 0 to 1.",
        "harness",
        ("objective",),
    ),
    Metric(
        "tidegate_objective_threshold_seconds",
        "gauge",
        "s",
        "The latency that the objective allows.",
        "harness",
        ("objective", "metric"),
    ),
    # Which run this is. Every panel of a run joins on it, so that its id is on no other series.
    Metric(
        "tidegate_run_info",
        "gauge",
        "1",
        "Always 1; the labels tell which run this worker takes part in.",
        "harness",
        ("run", "scenario", "model", "version"),
    ),
    Metric(
        "tidegate_run_start_time_seconds", "gauge", "s", "When the run's clock began, since 1970.", "harness"
    ),
    Metric(
        "tidegate_stage_start_time_seconds",
        "gauge",
        "s",
        "When each stage begins, since 1970.",
        "harness",
        ("stage",),
    ),
    # Its own health: what makes a run INVALID, with its limits.
    Metric("tidegate_schedule_delay_seconds", "histogram", "s", "Sent − due.", "harness"),
    Metric(
        "tidegate_loop_lag_seconds", "histogram", "s", "Lateness of the load loop's own timer.", "harness"
    ),
    Metric(
        "tidegate_lateness_limit_seconds",
        "gauge",
        "s",
        "The p99 beyond which the run is INVALID.",
        "harness",
        ("what",),
    ),
    Metric(
        "tidegate_dropped_limit_share",
        "gauge",
        "1",
        "Share of dropped arrivals beyond which the run is INVALID, 0 to 1.",
        "harness",
    ),
    Metric("tidegate_reconnects", "counter", "1", "Connections that had to be opened again.", "harness"),
    Metric("tidegate_records_lost", "counter", "1", "Records that could not be written.", "harness"),
)
