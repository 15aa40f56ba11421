"""One ECS log line a request: who asked what (by hash), what came of it, and how long each part took."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from observability.ecs import configure_ecs_logging
from target_server.telemetry.exchange import Exchange

LOGGER_NAME = "tidegate_target"
SERVICE_NAME = "tidegate-target"
LOGGER_NAMES = (LOGGER_NAME, "target_server", "uvicorn", "opentelemetry")
"""Ours, and those of the libraries that work for us."""
_log = logging.getLogger(f"{LOGGER_NAME}.request")


def configure_logging(file: Path | None) -> None:
    """Send our lines, and the warnings of the libraries that work for us, to one place."""
    for name in LOGGER_NAMES:
        configure_ecs_logging(name, SERVICE_NAME, file)


def log_request(exchange: Exchange, span_id: str | None) -> None:
    """Write the request's line; ``span_id`` is its server span, when one was made."""
    level = logging.ERROR if exchange.outcome == "failed" else logging.INFO
    message = f"{exchange.route} {exchange.status} {exchange.outcome}"
    _log.log(level, message, extra={"ecs": request_facts(exchange, span_id)})


def request_facts(exchange: Exchange, span_id: str | None) -> dict[str, Any]:
    """Return the line's fields under their ECS names; what is unknown is left out."""
    facts = {**_http(exchange), **_generation(exchange), **_timings(exchange)}
    facts |= {
        "trace.id": exchange.trace.trace_id if exchange.trace else None,
        "span.id": span_id,
        "labels.run_id": exchange.run_id,
        "error.message": exchange.error,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _http(exchange: Exchange) -> dict[str, Any]:
    return {
        "event.action": "generate",
        "event.outcome": "success" if exchange.outcome == "ok" else "failure",
        "event.duration": exchange.ended_ns - exchange.received_ns,
        "http.request.id": exchange.request_id,
        "http.request.method": "POST",
        "http.response.status_code": exchange.status,
        "url.path": exchange.route,
    }


def _generation(exchange: Exchange) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": exchange.operation,
        "gen_ai.request.model": exchange.model,
        "gen_ai.request.max_tokens": exchange.max_tokens,
        "gen_ai.request.temperature": exchange.temperature,
        "gen_ai.usage.input_tokens": exchange.prompt_tokens,
        "gen_ai.usage.output_tokens": exchange.output_tokens,
        "gen_ai.response.finish_reasons": [exchange.finish_reason] if exchange.finish_reason else None,
        "tidegate.outcome": exchange.outcome,
        "tidegate.stream": exchange.stream,
        "tidegate.cached_tokens": exchange.cached_tokens,
        "tidegate.prompt.hash": exchange.prompt_hash,
        "tidegate.prompt.characters": exchange.prompt_characters,
    }


def _timings(exchange: Exchange) -> dict[str, Any]:
    return {
        "tidegate.queue_seconds": exchange.queue_seconds,
        "tidegate.prefill_seconds": exchange.prefill_seconds,
        "tidegate.time_to_first_token_seconds": exchange.time_to_first_token_seconds,
        "tidegate.time_per_output_token_seconds": exchange.time_per_output_token_seconds,
        "tidegate.duration_seconds": exchange.duration_seconds,
    }
