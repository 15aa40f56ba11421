"""Any vLLM: what a server tells by itself, without a run of ours; SGLang, TGI, llama.cpp where they do."""

from __future__ import annotations

from dashboards.grafana.common import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, percentiles
from dashboards.grafana.promql import target_level, target_mean, target_quantile, target_rate
from dashboards.grafana.spec import Board, Panel, Row, Series, Variable

_SERVER = Variable(
    "server",
    "Server",
    "Whose rules gave the series their common names.",
    "label_values(tidegate_target_running, server)",
)
_TARGET = Variable(
    "target",
    "Target",
    "Which of them.",
    'label_values(tidegate_target_running{server=~"$server"}, instance)',
    all_values=False,
)
_VLLM_TELLS = "only vLLM tells this"


def _server(
    title: str, description: str, unit: str, *series: Series, width: int = 12, log: bool = False
) -> Panel:
    minimum = None if log else 0
    return Panel(title, description, unit, series, width=width, log=log, minimum=minimum)


def _vllm(title: str, description: str, unit: str, *series: Series, maximum: float | None = None) -> Panel:
    return Panel(title, description, unit, series, width=8, maximum=maximum, no_value=_VLLM_TELLS)


_LATENCY = (
    _server(
        "Time to first token",
        "From the request's arrival at the server. It knows nothing of requests that could not reach it.",
        "s",
        *percentiles(lambda q: target_quantile(q, "gen_ai_server_time_to_first_token_seconds")),
        width=8,
        log=True,
    ),
    _server(
        "Time per output token",
        "Mean of a request's tokens after its first.",
        "s",
        *percentiles(lambda q: target_quantile(q, "gen_ai_server_time_per_output_token_seconds")),
        width=8,
        log=True,
    ),
    _server(
        "Request duration",
        "From the request's arrival to its end. The usual bounds of servers are wide: read it with care.",
        "s",
        *percentiles(lambda q: target_quantile(q, "gen_ai_server_request_duration_seconds")),
        width=8,
        log=True,
    ),
)
_WORK = (
    _server(
        "Requests by outcome",
        "Requests per second that the server ended.",
        "reqps",
        Series(target_rate("tidegate_target_requests_total", by="outcome"), "{{outcome}}"),
    ),
    _server(
        "Tokens",
        "Prompt tokens taken in and tokens generated, per second.",
        "short",
        Series(target_rate("tidegate_target_prompt_tokens_total"), "prompt", color=ORANGE),
        Series(target_rate("tidegate_target_output_tokens_total"), "generated", color=BLUE),
    ),
    _server(
        "Running and waiting",
        "Requests in the batch and in the queue.",
        "short",
        Series(target_level("tidegate_target_running"), "running", color=GREEN),
        Series(target_level("tidegate_target_queue_depth"), "waiting", color=RED),
    ),
    _server(
        "KV cache in use",
        "Near 100 % requests wait or are preempted.",
        "percentunit",
        Series('max by (instance) (tidegate_target_kv_used_share{instance=~"$target"})', "{{instance}}"),
    ),
)
_PHASES = (
    _server(
        "Mean phases of a request",
        "Where the server spends a request's time.",
        "s",
        Series(target_mean("tidegate_target_queue_seconds"), "queue", color=RED),
        Series(target_mean("tidegate_target_prefill_seconds"), "prefill", color=ORANGE),
        Series(target_mean("tidegate_target_decode_seconds"), "decode", color=BLUE),
        width=24,
    ),
)
_ONLY = (
    _vllm(
        "Preemptions",
        "Sequences per second that were put back because the cache was full: their prefill is done again.",
        "short",
        Series(target_rate("vllm:num_preemptions_total"), "preemptions", color=RED),
    ),
    _vllm(
        "Prefix cache",
        "Share of prompt tokens that were found in the cache and not computed.",
        "percentunit",
        Series(
            f"{target_rate('vllm:prefix_cache_hits_total')} / "
            f"{target_rate('vllm:prefix_cache_queries_total')}",
            "hits",
            color=GREEN,
        ),
        maximum=1,
    ),
    _vllm(
        "Gap between tokens",
        "What a reader sees while the answer comes.",
        "s",
        *percentiles(lambda q: target_quantile(q, "vllm:inter_token_latency_seconds")),
    ),
    _vllm(
        "Tokens in one step",
        "Prompt and generated tokens computed together.",
        "short",
        Series(target_mean("vllm:iteration_tokens_total"), "mean", color=PURPLE),
    ),
    _vllm(
        "Prompt length",
        "Prompt tokens of a request.",
        "short",
        Series(target_quantile(0.95, "vllm:request_prompt_tokens"), "P95", color=ORANGE),
        Series(target_mean("vllm:request_prompt_tokens"), "mean", color=GREY),
    ),
    _vllm(
        "Answer length",
        "Generated tokens of a request.",
        "short",
        Series(target_quantile(0.95, "vllm:request_generation_tokens"), "P95", color=ORANGE),
        Series(target_mean("vllm:request_generation_tokens"), "mean", color=GREY),
    ),
)

BOARD = Board(
    "tidegate-vllm",
    "tidegate / Any vLLM",
    "A server's own view, with or without a run: vLLM, and SGLang, TGI and llama.cpp as far as they tell it.",
    (
        Row("Latency", _LATENCY),
        Row("Work", _WORK),
        Row("Phases", _PHASES),
        Row("Only vLLM", _ONLY),
    ),
    (_SERVER, _TARGET),
    stages=False,
)
