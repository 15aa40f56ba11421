"""The request record: one row for every planned arrival, also for those never sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa


class Outcome(StrEnum):
    """How a planned arrival ended. Exactly one per record; the set is closed."""

    OK = "ok"
    HTTP_ERROR = "http_error"  # any status ≥ 400 other than the refusals
    REJECTED = "rejected"  # 429 or 503: the target refused the work
    TIMEOUT = "timeout"
    REFUSED = "refused"  # no connection could be made
    DISCONNECTED = "disconnected"  # the connection ended before the answer began or within its framing
    TRUNCATED = "truncated"  # a well-framed stream that ended without [DONE] or a finish reason
    MALFORMED = "malformed"  # the bytes are not HTTP, not SSE, or an event is not the protocol's JSON
    EMPTY = "empty"  # a complete answer without any content
    DROPPED = "dropped"  # never sent: max_in_flight was reached
    CANCELLED = "cancelled"  # still open, or not yet due, when the run was stopped


OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)
"""Columns of outcomes hold indexes into this tuple."""


class TokenSource(StrEnum):
    """Where ``output_tokens`` comes from."""

    USAGE = "usage"  # the server's usage object
    CHUNKS = "chunks"  # counted content chunks: a lower bound when a chunk holds several tokens
    NONE = "none"


TOKEN_SOURCES: tuple[TokenSource, ...] = tuple(TokenSource)
"""Columns of token sources hold indexes into this tuple."""


@dataclass(slots=True)
class RequestRecord:
    """One planned arrival. Instants are nanoseconds on the worker's monotonic clock since the run's start.

    ``intended_ns`` is when the request was due; everything after ``sent_ns`` is None where it did not happen.
    ``max_gap_ns`` is the longest gap between consecutive content chunks. ``max_tokens`` is what was asked
    for. ``reconnects`` is 1 when a kept-alive connection proved closed and was replaced, before any byte.
    """

    seq: int
    worker: int
    stage: int
    trace_id: str
    sampled: bool
    intended_ns: int
    outcome: Outcome
    end_ns: int
    sent_ns: int | None = None
    connected_ns: int | None = None
    first_byte_ns: int | None = None
    first_token_ns: int | None = None
    last_token_ns: int | None = None
    http_status: int | None = None
    error_type: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    max_tokens: int = 0
    token_source: TokenSource = TokenSource.NONE
    chunks: int = 0
    max_gap_ns: int = 0
    finish_reason: str | None = None
    cached_tokens: int | None = None
    bytes_received: int = 0
    reconnects: int = 0
    gaps_ns: list[int] | None = None  # kept only with --record-gaps


_INSTANT = pa.int64()
_WORD = pa.dictionary(pa.int32(), pa.string())  # few distinct values: written as numbers, read as text
SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("worker", pa.uint16(), nullable=False),
        pa.field("stage", pa.uint8(), nullable=False),
        pa.field("trace_id", pa.string(), nullable=False),
        pa.field("sampled", pa.bool_(), nullable=False),
        pa.field("intended_ns", _INSTANT, nullable=False),
        pa.field("outcome", _WORD, nullable=False),
        pa.field("end_ns", _INSTANT, nullable=False),
        pa.field("sent_ns", _INSTANT),
        pa.field("connected_ns", _INSTANT),
        pa.field("first_byte_ns", _INSTANT),
        pa.field("first_token_ns", _INSTANT),
        pa.field("last_token_ns", _INSTANT),
        pa.field("http_status", pa.int16()),
        pa.field("error_type", _WORD),
        pa.field("input_tokens", pa.int32(), nullable=False),
        pa.field("output_tokens", pa.int32(), nullable=False),
        pa.field("max_tokens", pa.int32(), nullable=False),
        pa.field("token_source", _WORD, nullable=False),
        pa.field("chunks", pa.int32(), nullable=False),
        pa.field("max_gap_ns", _INSTANT, nullable=False),
        pa.field("finish_reason", _WORD),
        pa.field("cached_tokens", pa.int32()),
        pa.field("bytes_received", pa.int64(), nullable=False),
        pa.field("reconnects", pa.uint8(), nullable=False),
        pa.field("gaps_ns", pa.list_(pa.int64())),
    ]
)
"""The columns of ``records-<worker>.parquet``, in the record's order."""
