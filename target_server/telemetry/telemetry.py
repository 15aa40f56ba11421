"""The one thing that the API talks to: begin an exchange, tell what was delivered, finish it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from observability.trace_ids import parse_traceparent
from target_server.telemetry.exchange import Exchange, Operation, TraceParent
from target_server.telemetry.metrics import TargetMetrics
from target_server.telemetry.observer import ExchangeObserver
from target_server.telemetry.prompts import PromptHasher
from target_server.telemetry.request_log import log_request
from target_server.telemetry.tracing import Tracing

if TYPE_CHECKING:  # it needs the extra that holds Elasticsearch's client
    from target_server.telemetry.log_shipping import LogShipping

_RUN_ID = re.compile(r"[\w.:-]{1,128}")  # it comes from outside and goes into logs


class Telemetry:
    """Joins metrics, spans and log lines of one process.

    ``tracing`` None makes no spans. ``log_shipping`` None leaves the lines where logging puts them.
    """

    def __init__(
        self,
        metrics: TargetMetrics,
        hash_prompt: PromptHasher,
        tracing: Tracing | None,
        log_shipping: LogShipping | None = None,
    ) -> None:
        self.metrics = metrics
        self.observer = ExchangeObserver(metrics)
        self.hash_prompt = hash_prompt
        self._tracing = tracing
        self._log_shipping = log_shipping
        if log_shipping is not None:
            metrics.log_entries.watch(log_shipping.counts)

    def begin(
        self, request_id: str, operation: Operation, route: str, headers: Mapping[bytes, bytes]
    ) -> Exchange:
        """Start the clock of one request."""
        run_id = headers.get(b"x-tidegate-run", b"").decode("latin-1")
        return Exchange(
            request_id=request_id,
            operation=operation,
            route=route,
            trace=_trace_parent(headers.get(b"traceparent")),
            run_id=run_id if _RUN_ID.fullmatch(run_id) else None,
        )

    def accepted(self, exchange: Exchange, prompt_tokens: int) -> None:
        """Count the prompt of a request that the engine took."""
        exchange.prompt_tokens = prompt_tokens
        self.metrics.prompt_tokens.inc(prompt_tokens)

    def delivered(self, exchange: Exchange, completion_tokens: int) -> None:
        """Count the tokens that went out since the last call; ``completion_tokens`` is the number so far.

        The counter's sum is by construction the sum of the answers' ``usage.completion_tokens``.
        """
        self.metrics.output_tokens.inc(completion_tokens - exchange.output_tokens)
        exchange.output_tokens = completion_tokens

    def finish(self, exchange: Exchange) -> None:
        """End the request: spans, metrics, one log line."""
        exchange.ended_ns = time.monotonic_ns()
        self.observer.forget(exchange)
        if exchange.last_token_ns is None and exchange.output_tokens:
            exchange.last_token_ns = exchange.ended_ns  # the client left before the engine ended it
        span = self._tracing.record(exchange) if self._tracing else None
        if span is not None and exchange.trace is None:  # a trace that begins here
            own = TraceParent(f"{span.trace_id:032x}", f"{span.span_id:016x}", sampled=True)
            exchange = replace(exchange, trace=own)
        self.metrics.observe_end(exchange)
        log_request(exchange, f"{span.span_id:016x}" if span else None)

    def close(self) -> None:
        """Deliver the spans and the log lines that still wait; the spans first, for they may be told of."""
        if self._tracing:
            self._tracing.close()
        if self._log_shipping:
            self._log_shipping.close()


def _trace_parent(header: bytes | None) -> TraceParent | None:
    parsed = parse_traceparent(header.decode("latin-1")) if header else None
    return TraceParent(*parsed) if parsed else None
