"""All that telemetry remembers of one request: filled by the API and the engine, read once at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

Operation = Literal["chat", "text_completion"]
Outcome = Literal["ok", "rejected", "invalid", "unavailable", "failed", "cancelled"]

CLIENT_GONE_STATUS = 499  # nginx's number for "the client left before there was an answer"


@dataclass(frozen=True, slots=True)
class TraceParent:
    """The caller's span, as its ``traceparent`` header names it."""

    trace_id: str
    span_id: str
    sampled: bool


@dataclass(slots=True)
class Exchange:
    """One generation request and its answer.

    Every ``*_ns`` is an instant on ``time.monotonic_ns``; None means that it was never reached. ``status``
    is the HTTP status that was sent. The engine's thread writes its instants; each is written once.
    """

    request_id: str
    operation: Operation
    route: str
    trace: TraceParent | None
    run_id: str | None
    received_ns: int = field(default_factory=time.monotonic_ns)

    model: str | None = None
    stream: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    prompt_hash: str | None = None
    prompt_characters: int = 0

    queued_ns: int | None = None
    started_ns: int | None = None
    prefilled_ns: int | None = None
    first_token_ns: int | None = None
    last_token_ns: int | None = None
    ended_ns: int = 0

    status: int = CLIENT_GONE_STATUS
    outcome: Outcome = "cancelled"
    error: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    @property
    def queue_seconds(self) -> float | None:
        """Time spent waiting for a slot."""
        return _seconds_between(self.queued_ns, self.started_ns)

    @property
    def prefill_seconds(self) -> float | None:
        """From the slot to the end of the prompt's computation."""
        return _seconds_between(self.started_ns, self.prefilled_ns)

    @property
    def decode_seconds(self) -> float | None:
        """From the first token to the last."""
        return _seconds_between(self.first_token_ns, self.last_token_ns)

    @property
    def time_to_first_token_seconds(self) -> float | None:
        """From the request's arrival to its first token."""
        return _seconds_between(self.received_ns, self.first_token_ns)

    @property
    def time_per_output_token_seconds(self) -> float | None:
        """(last token − first token) ÷ (output tokens − 1); undefined for fewer than two tokens."""
        decode = self.decode_seconds
        if decode is None or self.output_tokens < 2:
            return None
        return decode / (self.output_tokens - 1)

    @property
    def duration_seconds(self) -> float:
        """From the request's arrival to the end of its answer."""
        return (self.ended_ns - self.received_ns) / 1e9


def _seconds_between(start_ns: int | None, end_ns: int | None) -> float | None:
    if start_ns is None or end_ns is None:
        return None
    return (end_ns - start_ns) / 1e9
