"""One SERVER span a request with children queue, prefill and decode, made after the request has ended.

Nothing of this is on the way of a token: the instants were noted as integers, and only a sampled request
pays for spans at all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags

from target_server.telemetry.exchange import Exchange, TraceParent
from target_server.telemetry.request_log import LOGGER_NAME, SERVICE_NAME
from target_server.telemetry.shipper import SpanShipper

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FLUSH_SECONDS = 5.0
logger = logging.getLogger(f"{LOGGER_NAME}.tracing")


class Tracing:
    """Spans to an exporter. A caller's sampled flag decides; without a caller, the SDK's own sampler does."""

    def __init__(self, shipper: SpanShipper) -> None:
        self._shipper = shipper
        resource = Resource.create({"service.name": SERVICE_NAME})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)  # `close` does it
        self._provider.add_span_processor(shipper)
        self._tracer = self._provider.get_tracer("target_server")

    def record(self, exchange: Exchange) -> SpanContext | None:
        """Make the request's spans; return the server span's context, or None when it is not sampled."""
        if exchange.trace is not None and not exchange.trace.sampled:
            return None
        wall = _WallClock()
        span = self._tracer.start_span(
            f"POST {exchange.route}",
            context=_parent_context(exchange.trace),
            kind=SpanKind.SERVER,
            start_time=wall(exchange.received_ns),
            attributes=_attributes(exchange),
        )
        if not span.is_recording():
            return None
        self._add_children(span, exchange, wall)
        _add_events(span, exchange, wall)
        if exchange.status >= 500 or exchange.outcome == "failed":
            span.set_status(StatusCode.ERROR, exchange.error)
        span.end(wall(exchange.ended_ns))
        return span.get_span_context()

    def close(self) -> None:
        """Deliver what is waiting, within a few seconds, and say what was lost in all."""
        self._shipper.close(_FLUSH_SECONDS)
        if self._shipper.dropped:
            logger.warning("%d spans were lost before export", self._shipper.dropped)

    def _add_children(self, server: Span, exchange: Exchange, wall: _WallClock) -> None:
        """Add a child for each phase that began; one that was cut short ends with the request."""
        parent = trace.set_span_in_context(server, Context())
        starts = (exchange.queued_ns, exchange.started_ns, exchange.prefilled_ns)
        ends = (exchange.started_ns, exchange.prefilled_ns, exchange.last_token_ns)
        for name, start_ns, end_ns in zip(("queue", "prefill", "decode"), starts, ends, strict=True):
            if start_ns is not None:
                child = self._tracer.start_span(name, parent, start_time=wall(start_ns))
                child.end(wall(exchange.ended_ns if end_ns is None else end_ns))


class _WallClock:
    """Turn monotonic instants into wall-clock ones, by the offset of this moment."""

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def __call__(self, monotonic_ns: int) -> int:
        return monotonic_ns + self._offset_ns


def tracing_from_environment(
    environment: Mapping[str, str], on_dropped: Callable[[int], None]
) -> Tracing | None:
    """Return tracing over OTLP/HTTP when the environment names an endpoint, else None.

    Call it in the process that serves: the exporter's thread does not survive a fork.
    """
    if not any(environment.get(name) for name in _ENDPOINTS):
        return None
    return Tracing(SpanShipper(OTLPSpanExporter(), on_dropped))


def _parent_context(parent: TraceParent | None) -> Context:
    if parent is None:
        return Context()
    context = SpanContext(
        trace_id=int(parent.trace_id, 16),
        span_id=int(parent.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return trace.set_span_in_context(NonRecordingSpan(context), Context())


def _add_events(span: Span, exchange: Exchange, wall: _WallClock) -> None:
    if exchange.first_token_ns is not None:
        span.add_event("first_token", timestamp=wall(exchange.first_token_ns))
    if exchange.last_token_ns is not None:
        span.add_event("last_token", timestamp=wall(exchange.last_token_ns))


def _attributes(exchange: Exchange) -> dict[str, Any]:
    attributes = {
        "http.request.method": "POST",
        "http.route": exchange.route,
        "http.response.status_code": exchange.status,
        "error.type": None if exchange.outcome == "ok" else exchange.outcome,
        "gen_ai.operation.name": exchange.operation,
        "gen_ai.provider.name": "tidegate",
        "gen_ai.request.model": exchange.model,
        "gen_ai.request.max_tokens": exchange.max_tokens,
        "gen_ai.request.temperature": exchange.temperature,
        "gen_ai.response.id": exchange.request_id,
        "gen_ai.response.finish_reasons": [exchange.finish_reason] if exchange.finish_reason else None,
        "gen_ai.usage.input_tokens": exchange.prompt_tokens,
        "gen_ai.usage.output_tokens": exchange.output_tokens,
        "tidegate.run_id": exchange.run_id,
    }
    return {name: value for name, value in attributes.items() if value is not None}
