"""Answers as bytes, and ways to cut them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any, Protocol

from hypothesis import strategies as st

from harness.measure.record import Outcome, RequestRecord
from harness.wire.exchange import Exchange

DONE = b"data: [DONE]\n\n"


def chunk_event(text: str | None, finish: str | None = None, usage: dict[str, Any] | None = None) -> bytes:
    choice = {"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": finish}
    data = {"id": "c1", "model": "m", "choices": [choice]}
    if usage is not None:
        data = {"id": "c1", "model": "m", "choices": [], "usage": usage}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def stream_body(texts: list[str], done: bool = True, finish: str | None = "stop") -> bytes:
    events = [chunk_event(text) for text in texts]
    if finish:
        events.append(chunk_event(None, finish))
    usage = {"prompt_tokens": 8, "completion_tokens": 2 * len(texts)}
    events.append(chunk_event(None, usage={**usage, "prompt_tokens_details": {"cached_tokens": 4}}))
    return b"".join(events) + (DONE if done else b"")


def chunked(body: bytes, size: int = 40, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return head.encode() + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def with_length(body: bytes, status: str = "200 OK", kind: str = "text/event-stream") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def until_close(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + body


FRAMINGS: tuple[Callable[[bytes], bytes], ...] = (chunked, with_length, until_close)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


cuts = st.lists(st.integers(0, 10_000), max_size=12)


class ReadAnswer(Protocol):
    """What the claims ask of an exchange that has read an answer."""

    outcome: Outcome | None
    error_type: str | None
    status: int | None
    first_byte_ns: int | None
    first_token_ns: int | None
    last_token_ns: int | None
    chunks: int
    max_gap_ns: int
    gaps_ns: list[int] | None
    reusable: bool

    def fill(self, record: RequestRecord, zero_ns: int) -> None: ...


class Reader(Protocol):
    """Feeds the pieces 1 ms apart, from 1 ms on, then the connection's end if the answer is still open."""

    def __call__(self, pieces: list[bytes], stream: bool = True, eof: bool = True) -> ReadAnswer: ...


def read(pieces: list[bytes], stream: bool = True, eof: bool = True, **options: Any) -> Exchange:
    """Be the `Reader` of the reference."""
    gaps: list[int] = []
    exchange = Exchange(stream, gaps.append, keep_gaps=True, **options)
    now_ns = 0
    for piece in pieces:
        now_ns += 1_000_000
        if exchange.feed(piece, now_ns):
            break
    if eof and exchange.outcome is None:
        exchange.eof(now_ns + 1_000_000)
    assert exchange.gaps_ns == gaps
    return exchange


def decode(pieces: list[bytes]) -> Exchange:
    """Read without the shortcut for events like the one before: text that is kept must be decoded."""
    return read(pieces, keep_text=True)
