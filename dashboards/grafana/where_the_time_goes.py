"""Which part of a request takes the time: waiting, prefill, decode, or the way between the two machines."""

from __future__ import annotations

from dashboards.grafana.common import BLUE, GREEN, GREY, LINKS, ORANGE, PURPLE, RED, RUN_VARIABLES
from dashboards.grafana.promql import (
    at_least,
    run_mean,
    run_quantile,
    target_level,
    target_mean,
    target_quantile,
    target_rate,
)
from dashboards.grafana.spec import Board, Panel, Row, Series

_CLIENT_TTFT = "tidegate_service_time_to_first_token_seconds"
_SERVER_TTFT = "gen_ai_server_time_to_first_token_seconds"
_LEAST_SECONDS = 1e-4  # a logarithmic axis has no zero
_NO_STEPS = "the scripted engine takes no steps"
_QUEUE, _PREFILL, _DECODE = (f"tidegate_target_{phase}_seconds" for phase in ("queue", "prefill", "decode"))

_P99 = Panel(
    "P99 by phase",
    "The slowest percent of each phase on its own; they are not the same requests, so they do not add up. "
    "network is the difference of two P99s: first token seen by the client after its send, and sent by the "
    "server after its arrival; 0.1 ms stands for less.",
    "s",
    (
        Series(target_quantile(0.99, _QUEUE), "queue", exemplars=True, color=RED),
        Series(target_quantile(0.99, _PREFILL), "prefill", exemplars=True, color=ORANGE),
        Series(target_quantile(0.99, _DECODE), "decode", exemplars=True, color=BLUE),
        Series(
            at_least(
                _LEAST_SECONDS, f"{run_quantile(0.99, _CLIENT_TTFT)} - {target_quantile(0.99, _SERVER_TTFT)}"
            ),
            "network",
            color=PURPLE,
        ),
    ),
    log=True,
    minimum=None,
)

_MEAN = Panel(
    "Mean request, phase by phase",
    "Means add up where percentiles do not: the height is what an answered request takes, from "
    "when it was due. late is our own delay in sending it.",
    "s",
    (
        Series(run_mean("tidegate_schedule_delay_seconds"), "late", color=GREY),
        Series(
            at_least(0, f"{run_mean(_CLIENT_TTFT)} - {target_mean(_SERVER_TTFT)}"), "network", color=PURPLE
        ),
        Series(target_mean(_QUEUE), "queue", color=RED),
        Series(target_mean(_PREFILL), "prefill", color=ORANGE),
        Series(target_mean(_DECODE), "decode", color=BLUE),
    ),
    stacked=True,
)

_BATCH = Panel(
    "Batch size",
    "Sequences computed together in one engine step. It is the server's throughput: a batch that stays small "
    "while requests wait means that something else than slots is short.",
    "short",
    (
        Series(target_quantile(0.95, "tidegate_target_batch_size"), "P95 of steps", color=ORANGE),
        Series(target_mean("tidegate_target_batch_size"), "mean", color=BLUE),
        Series(target_level("tidegate_target_running"), "requests with a slot", color=GREEN),
    ),
    width=8,
    no_value=_NO_STEPS,
)

_KV = Panel(
    "KV cache in use",
    "Share of the cache that holds open sequences. Near 100 % sequences wait, or are put back.",
    "percentunit",
    (Series('max by (instance) (tidegate_target_kv_used_share{instance=~"$target"})', "{{instance}}"),),
    width=8,
    maximum=1,
)

_WAITING = Panel(
    "Queue",
    "Requests that wait for a slot now, and those refused per second because the queue was full.",
    "short",
    (
        Series(target_level("tidegate_target_queue_depth"), "waiting", color=RED),
        Series(
            target_rate("tidegate_target_requests_total", 'outcome="rejected"'),
            "refused per second",
            color=GREY,
        ),
    ),
    width=8,
)

_STEP = Panel(
    "Engine step",
    "Duration of one step: with batch size it says how fast tokens come.",
    "s",
    (
        Series(target_quantile(0.99, "tidegate_target_step_seconds"), "P99", color=RED),
        Series(target_quantile(0.5, "tidegate_target_step_seconds"), "P50", color=BLUE),
    ),
    log=True,
    minimum=None,
    no_value=_NO_STEPS,
)

_TOKENS = Panel(
    "Tokens through the engine",
    "Prompt tokens taken in and tokens generated, per second.",
    "short",
    (
        Series(target_rate("tidegate_target_prompt_tokens_total"), "prompt", color=ORANGE),
        Series(target_rate("tidegate_target_output_tokens_total"), "generated", color=BLUE),
    ),
)

BOARD = Board(
    "tidegate-time",
    "tidegate / Where the time goes",
    "Queue, prefill, decode and network of the same requests, with the engine's batch, cache "
    "and queue beside them.",
    (
        Row("Phases", (_P99, _MEAN)),
        Row("The engine", (_BATCH, _KV, _WAITING, _STEP, _TOKENS)),
    ),
    RUN_VARIABLES,
    LINKS,
)
