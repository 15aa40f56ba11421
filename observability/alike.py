"""What other servers call what our target tells: the table behind the rules that make them look alike.

Each row becomes a recording rule that gives their series our name and the label ``server``, so that
dashboards and alerts are written once. Names of vLLM and llama.cpp were read on their pages; those of SGLang
and TGI come from their documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Server = Literal["vllm", "sglang", "tgi", "llamacpp"]


@dataclass(frozen=True, slots=True)
class Alike:
    """``theirs`` is what ``ours`` is, both as names of families (a counter's and a gauge's as its samples').

    ``where``: label values that theirs must have. ``labels``: those that ours gets besides.
    """

    server: Server
    ours: str
    theirs: str
    where: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


def _rows(ours: str, **theirs: str) -> tuple[Alike, ...]:
    return tuple(Alike(server, ours, name) for server, name in theirs.items())  # type: ignore[arg-type]


def _requests(server: Server, theirs: str, outcome: str, status: str, **where: str) -> Alike:
    labels = (("outcome", outcome), ("status", status))
    return Alike(server, "tidegate_target_requests_total", theirs, tuple(where.items()), labels)


_HISTOGRAMS = (
    *_rows(
        "gen_ai_server_time_to_first_token_seconds",
        vllm="vllm:time_to_first_token_seconds",
        sglang="sglang:time_to_first_token_seconds",
    ),
    *_rows(
        "gen_ai_server_time_per_output_token_seconds",
        vllm="vllm:request_time_per_output_token_seconds",
        sglang="sglang:time_per_output_token_seconds",
        tgi="tgi_request_mean_time_per_token_duration",
    ),
    *_rows(
        "gen_ai_server_request_duration_seconds",
        vllm="vllm:e2e_request_latency_seconds",
        sglang="sglang:e2e_request_latency_seconds",
        tgi="tgi_request_duration",
    ),
    *_rows(
        "tidegate_target_queue_seconds",
        vllm="vllm:request_queue_time_seconds",
        sglang="sglang:queue_time_seconds",
        tgi="tgi_request_queue_duration",
    ),
    *_rows("tidegate_target_prefill_seconds", vllm="vllm:request_prefill_time_seconds"),
    *_rows("tidegate_target_decode_seconds", vllm="vllm:request_decode_time_seconds"),
)

_LEVELS = (
    *_rows(
        "tidegate_target_running",
        vllm="vllm:num_requests_running",
        sglang="sglang:num_running_reqs",
        tgi="tgi_batch_current_size",
        llamacpp="llamacpp:requests_processing",
    ),
    *_rows(
        "tidegate_target_queue_depth",
        vllm="vllm:num_requests_waiting",
        sglang="sglang:num_queue_reqs",
        tgi="tgi_queue_size",
        llamacpp="llamacpp:requests_deferred",
    ),
    *_rows("tidegate_target_kv_used_share", vllm="vllm:kv_cache_usage_perc", sglang="sglang:token_usage"),
)

_TOKENS = (
    *_rows(
        "tidegate_target_prompt_tokens_total",
        vllm="vllm:prompt_tokens_total",
        sglang="sglang:prompt_tokens_total",
        tgi="tgi_request_input_length_sum",
        llamacpp="llamacpp:prompt_tokens_total",
    ),
    *_rows(
        "tidegate_target_output_tokens_total",
        vllm="vllm:generation_tokens_total",
        sglang="sglang:generation_tokens_total",
        tgi="tgi_request_generated_tokens_sum",
        llamacpp="llamacpp:tokens_predicted_total",
    ),
)

_ENDED = (  # llama.cpp counts no requests
    _requests("vllm", "vllm:request_success_total", "ok", "200", finished_reason="stop|length"),
    _requests("vllm", "vllm:request_success_total", "cancelled", "499", finished_reason="abort"),
    _requests("vllm", "vllm:request_success_total", "failed", "500", finished_reason="error"),
    _requests("vllm", "vllm:admission_rejections_total", "rejected", "429"),
    _requests("sglang", "sglang:num_requests_total", "ok", "200"),
    _requests("sglang", "sglang:num_aborted_requests_total", "cancelled", "499"),
    _requests("tgi", "tgi_request_success", "ok", "200"),
    _requests("tgi", "tgi_request_failure", "failed", "500"),
)

HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")
ALIKE: tuple[Alike, ...] = (*_HISTOGRAMS, *_LEVELS, *_TOKENS, *_ENDED)


def series_of(row: Alike) -> tuple[tuple[str, str], ...]:
    """Return (our series, their series) of a row: one pair, or a histogram's three."""
    if row not in _HISTOGRAMS:
        return ((row.ours, row.theirs),)
    return tuple((row.ours + suffix, row.theirs + suffix) for suffix in HISTOGRAM_SUFFIXES)
