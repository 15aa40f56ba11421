"""Write the engine's instants into the exchanges they belong to."""

from __future__ import annotations

from target_server.engine.observer import EndReason
from target_server.telemetry.exchange import Exchange
from target_server.telemetry.metrics import TargetMetrics


class ExchangeObserver:
    """The engine's observer: finds each request's exchange by its id.

    Called from the engine's thread: a dictionary look-up and an attribute are atomic under the GIL. An
    exchange is forgotten when its answer ends; what the engine still says about it afterwards (a slot given
    back one step after the client left) is of no interest.
    """

    def __init__(self, metrics: TargetMetrics) -> None:
        self._metrics = metrics
        self._exchanges: dict[str, Exchange] = {}

    def watch(self, exchange: Exchange) -> None:
        """Begin to fill in this exchange."""
        self._exchanges[exchange.request_id] = exchange

    def forget(self, exchange: Exchange) -> None:
        """Stop; harmless for one that was never watched."""
        self._exchanges.pop(exchange.request_id, None)

    def on_rejected(self, request_id: str, at_ns: int) -> None:  # noqa: ARG002 - the protocol's parameters
        """Count it; the status and the log line come from the API."""
        self._metrics.rejected.inc()

    def on_queued(self, request_id: str, at_ns: int) -> None:
        """Note when the request began to wait."""
        if exchange := self._exchanges.get(request_id):
            exchange.queued_ns = at_ns

    def on_started(self, request_id: str, at_ns: int) -> None:
        """Note when the request got its slot."""
        if exchange := self._exchanges.get(request_id):
            exchange.started_ns = at_ns

    def on_prefilled(self, request_id: str, prompt_tokens: int, at_ns: int) -> None:
        """Note when the prompt was computed."""
        if exchange := self._exchanges.get(request_id):
            exchange.prefilled_ns = at_ns
            exchange.prompt_tokens = prompt_tokens

    def on_first_token(self, request_id: str, at_ns: int) -> None:
        """Note the first token, and observe it now: a live panel must not wait for the stream's end."""
        if exchange := self._exchanges.get(request_id):
            exchange.first_token_ns = at_ns
            self._metrics.observe_first_token(exchange)

    def on_finished(self, request_id: str, reason: EndReason, tokens: int, at_ns: int) -> None:  # noqa: ARG002
        """Note the last token; reason and count come with the answer itself."""
        if exchange := self._exchanges.get(request_id):
            exchange.last_token_ns = at_ns

    def on_step(self, batch_size: int, seconds: float) -> None:
        """Observe one engine step."""
        self._metrics.batch_size.observe(batch_size)
        self._metrics.step_seconds.observe(seconds)
