"""What each field is. Only core types: a server without Elastic's extra modules knows no others.

Names are ECS's, OpenTelemetry's for models (``gen_ai.*``), and ours (``tidegate.*``) with their unit at the
end. Strings that nobody listed become keywords.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from observability.elastic.streams import Stream

Fields = Mapping[str, Any]


def _all(kind: str, names: Iterable[str]) -> dict[str, dict[str, str]]:
    return {name: {"type": kind} for name in names}


_COMMON: Fields = {
    "@timestamp": {"type": "date"},
    "message": {"type": "text"},
    **_all(
        "keyword",
        (
            *("ecs.version", "service.name", "log.level", "log.logger", "event.action", "event.outcome"),
            *("trace.id", "span.id", "labels.run_id", "labels.scenario", "labels.stage"),
            *("error.type", "http.request.id", "http.request.method", "url.path", "url.full"),
            *("gen_ai.operation.name", "gen_ai.request.model", "gen_ai.response.finish_reasons"),
            *("tidegate.outcome", "tidegate.token_source", "tidegate.prompt.hash"),
        ),
    ),
    "error.message": {"type": "text"},
    "error.stack_trace": {"type": "text", "index": False},
    **_all(
        "long",
        (
            *("event.duration", "process.pid", "http.response.status_code"),
            *("gen_ai.request.max_tokens", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
            *("tidegate.seq", "tidegate.worker", "tidegate.output_tokens", "tidegate.cached_tokens"),
            "tidegate.prompt.characters",
        ),
    ),
}

_REQUESTS: Fields = {
    **_all(
        "double",
        (
            *("tidegate.due_ms", "tidegate.schedule_delay_ms", "tidegate.connect_ms"),
            *("tidegate.ttft_ms", "tidegate.ttft_service_ms", "tidegate.e2e_ms", "tidegate.tpot_ms"),
            "tidegate.max_gap_ms",
        ),
    ),
    **_all("long", ("tidegate.chunks", "tidegate.received_bytes", "tidegate.reconnects")),
    "tidegate.sampled": {"type": "boolean"},
}

_OBJECTIVE: Fields = {
    **_all("keyword", ("name", "metric", "op", "status", "stages")),
    **_all("double", ("percentile", "threshold", "measured", "low", "high")),
    **_all("long", ("n",)),
    "note": {"type": "text"},
}

_RUNS: Fields = {
    **_all("keyword", ("tidegate.verdict", "tidegate.reasons", "tidegate.version", "tidegate.cpu")),
    **_all(
        "double",
        (
            *("tidegate.duration_seconds", "tidegate.offered_per_second", "tidegate.completed_per_second"),
            *("tidegate.goodput_per_second", "tidegate.output_tokens_per_second"),
            *("tidegate.attainment_share", "tidegate.shed_share", "tidegate.error_share"),
            *("tidegate.ttft_p50_ms", "tidegate.ttft_p95_ms", "tidegate.ttft_p99_ms"),
            *("tidegate.e2e_p50_ms", "tidegate.e2e_p95_ms", "tidegate.e2e_p99_ms"),
            *("tidegate.itl_p99_ms", "tidegate.schedule_delay_p99_ms"),
        ),
    ),
    **_all("long", ("tidegate.exit_code", "tidegate.offered", "tidegate.sent", "tidegate.ok")),
    "tidegate.objectives": {"type": "nested", "properties": _OBJECTIVE},
    "tidegate.stages": {"type": "object", "enabled": False},
    "tidegate.versions": {"type": "flattened"},
}

_TARGET: Fields = {
    **_all(
        "double",
        (
            *("tidegate.queue_seconds", "tidegate.prefill_seconds", "tidegate.duration_seconds"),
            *("tidegate.time_to_first_token_seconds", "tidegate.time_per_output_token_seconds"),
            "gen_ai.request.temperature",
        ),
    ),
    "tidegate.stream": {"type": "boolean"},
}

_OWN: Mapping[Stream, Fields] = {
    Stream.REQUESTS: _REQUESTS,
    Stream.RUNS: _RUNS,
    Stream.GENERATOR: {},
    Stream.TARGET: _TARGET,
}


def mapping_of(stream: Stream) -> dict[str, Any]:
    """Return the mapping of a stream's documents."""
    return {
        "date_detection": False,  # a text that looks like a date is a text
        "dynamic_templates": [
            {
                "strings": {
                    "match_mapping_type": "string",
                    "mapping": {"type": "keyword", "ignore_above": 1024},
                }
            }
        ],
        "properties": {**_COMMON, **_OWN[stream]},
    }
