"""One request on its way: what was asked, when it was due and sent, and the answer so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

from harness.measure.record import Outcome, RequestRecord
from harness.wire.exchange import Exchange


class Answer(Protocol):
    """What a call needs of an answer, in whatever protocol it comes."""

    outcome: Outcome | None

    def fill(self, record: RequestRecord, zero_ns: int) -> None:
        """Write what the answer was into ``record``; its instants count from ``zero_ns``."""


RequestT = TypeVar("RequestT", default=bytes)
AnswerT = TypeVar("AnswerT", bound=Answer, default=Exchange)


class Call(Generic[RequestT, AnswerT]):
    """A request in flight. Instants are nanoseconds on the process's monotonic clock.

    ``request`` and ``exchange`` are those of the client that sends it: HTTP's unless said otherwise.

    ``sent_ns`` is when we began to send, before a connection was made: a target that is slow to accept is the
    target's latency, not our lateness. ``on_done(call)`` is called exactly once, from the hub.
    """

    __slots__ = (
        "connected_ns",
        "end_ns",
        "exchange",
        "input_tokens",
        "intended_ns",
        "max_tokens",
        "on_done",
        "reconnects",
        "request",
        "sampled",
        "sent_ns",
        "seq",
        "stage",
        "trace_id",
    )

    def __init__(
        self,
        seq: int,
        stage: int,
        intended_ns: int,
        request: RequestT,
        exchange: AnswerT,
        on_done: Callable[[Call[Any, Any]], None],
        *,
        trace_id: str,
        sampled: bool,
        input_tokens: int,
        max_tokens: int,
    ) -> None:
        self.seq = seq
        self.stage = stage
        self.intended_ns = intended_ns
        self.request = request
        self.exchange = exchange
        self.on_done = on_done
        self.trace_id = trace_id
        self.sampled = sampled
        self.input_tokens = input_tokens
        self.max_tokens = max_tokens
        self.sent_ns: int | None = None
        self.connected_ns: int | None = None
        self.end_ns = 0
        self.reconnects = 0

    def to_record(self, worker: int, zero_ns: int) -> RequestRecord:
        """Return the record; its instants count from ``zero_ns``."""
        record = RequestRecord(
            seq=self.seq,
            worker=worker,
            stage=self.stage,
            trace_id=self.trace_id,
            sampled=self.sampled,
            intended_ns=self.intended_ns - zero_ns,
            outcome=self.exchange.outcome or Outcome.CANCELLED,
            end_ns=self.end_ns - zero_ns,
            input_tokens=self.input_tokens,
            max_tokens=self.max_tokens,
            reconnects=self.reconnects,
        )
        if self.sent_ns is not None:
            record.sent_ns = self.sent_ns - zero_ns
        if self.connected_ns is not None:
            record.connected_ns = self.connected_ns - zero_ns
        self.exchange.fill(record, zero_ns)
        return record
