"""What the engine tells whoever watches it: telemetry implements this, the engine never imports telemetry."""

from __future__ import annotations

from typing import Literal, Protocol

EndReason = Literal["stop", "length", "cancelled", "failed"]


class Observer(Protocol):
    """Receives the instants of each request's life, as ``time.monotonic_ns`` taken by the engine.

    For one request the calls come in the order below; ``on_finished`` is always the last and comes exactly
    once for each ``on_queued`` (a request that is cancelled early skips the ones between). The torch engine
    calls from its own thread, so an implementation must be quick, safe to call from any thread, and never
    raise.
    """

    def on_rejected(self, request_id: str, at_ns: int) -> None:
        """The queue was full: no other call follows for this request."""
        ...

    def on_queued(self, request_id: str, at_ns: int) -> None:
        """The request was accepted and waits for a slot."""
        ...

    def on_started(self, request_id: str, at_ns: int) -> None:
        """The request got its slot: queueing ends, prefill begins."""
        ...

    def on_prefilled(self, request_id: str, prompt_tokens: int, at_ns: int) -> None:
        """The whole prompt has been computed: prefill ends, decode begins."""
        ...

    def on_first_token(self, request_id: str, at_ns: int) -> None:
        """The first token was chosen."""
        ...

    def on_finished(self, request_id: str, reason: EndReason, tokens: int, at_ns: int) -> None:
        """The request left the engine with ``tokens`` generated tokens."""
        ...

    def on_step(self, batch_size: int, seconds: float) -> None:
        """One step of the engine served ``batch_size`` requests in ``seconds``."""
        ...


class NullObserver:
    """Watches nothing."""

    def on_rejected(self, request_id: str, at_ns: int) -> None:
        """Do nothing."""

    def on_queued(self, request_id: str, at_ns: int) -> None:
        """Do nothing."""

    def on_started(self, request_id: str, at_ns: int) -> None:
        """Do nothing."""

    def on_prefilled(self, request_id: str, prompt_tokens: int, at_ns: int) -> None:
        """Do nothing."""

    def on_first_token(self, request_id: str, at_ns: int) -> None:
        """Do nothing."""

    def on_finished(self, request_id: str, reason: EndReason, tokens: int, at_ns: int) -> None:
        """Do nothing."""

    def on_step(self, batch_size: int, seconds: float) -> None:
        """Do nothing."""
