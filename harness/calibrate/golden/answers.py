"""An answer's bytes, rendered once for every kind of request: a token is one write of shared bytes."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple

import numpy as np

from harness.calibrate.golden.timetable import Timetable, drawn

MODEL = "golden"
DEFAULT_TOKENS = 16
_MAX_TOKENS = 1_000_000
PROMPT_TOKENS = 8
"""What every usage object says of the prompt: nothing here reads it."""
_TEXT = " token"
_ID = {"chat": "chatcmpl-golden", "completions": "cmpl-golden"}
_OBJECT = {"chat": "chat.completion", "completions": "text_completion"}
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_LAST_CHUNK = b"0\r\n\r\n"


class Ask(NamedTuple):
    """What of a request decides its answer. ``api`` is chat or completions; ``usage``: a chunk of it too.

    ``max_tokens`` 0: it does not say.
    """

    api: str
    stream: bool
    max_tokens: int
    usage: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The writes of one kind of answer, and the delays before them. Made once, shared, never changed.

    ``first`` goes out with write 1 and ``last`` with write ``writes`` (when that is another one), ``middle``
    with all between. ``tokens`` are in all of them: each of a ``stream``'s tokens is a write of its own; an
    answer in one piece is due when its last token would be. ``resets``: the last write is a reset instead.
    ``first_ns`` and ``gaps_ns`` are tables by position, of a power of two of entries: when write 1 is due
    after the arrival, and each next one after the one before it, but for ``stalls``: (token, nanoseconds) in
    the order of the tokens, flat.
    """

    writes: int
    first: bytes
    middle: bytes
    last: bytes
    tokens: int
    status: int
    first_ns: array[int]
    gaps_ns: array[int]
    stalls: array[int]
    finishes: bool = False
    resets: bool = False
    stream: bool = False


def _answer(
    timetable: Timetable,
    writes: int,
    first: bytes,
    middle: bytes,
    last: bytes,
    tokens: int,
    *,
    finishes: bool = False,
    resets: bool = False,
    stream: bool = False,
) -> Answer:
    first_ns = first_delays_ns(timetable, 1 if stream else max(tokens, 1))
    stalls = array("q", [part for stall in sorted(dict(timetable.stalls).items()) for part in stall])
    gaps_ns = drawn(timetable.gap)
    return Answer(
        *(writes, first, middle, last, tokens, timetable.status, first_ns, gaps_ns, stalls),
        finishes=finishes,
        resets=resets,
        stream=stream,
    )


def first_delays_ns(timetable: Timetable, token: int) -> array[int]:
    """Return when ``token`` is due after the request's arrival, for every position (see ``drawn``)."""
    stalls = sum(wait for stalled, wait in dict(timetable.stalls).items() if stalled <= token)
    if token == 1 and not stalls:
        return drawn(timetable.ttft)
    first, gaps = np.array(drawn(timetable.ttft)), np.array(drawn(timetable.gap))
    positions = np.arange(max(len(first), len(gaps) if token > 1 else 1))
    rounds, rest = divmod(token - 1, len(gaps))  # gaps 1 to token − 1, from a position on, in a ring
    sums = np.concatenate([[0], np.cumsum(np.tile(gaps, 2))])
    begins = (positions + 1) % len(gaps)
    waits = rounds * sums[len(gaps)] + sums[begins + rest] - sums[begins]
    table: array[int] = array("q")
    table.frombytes((first[positions % len(first)] + waits + stalls).astype(np.int64).tobytes())
    return table


def answerer(default: Timetable) -> Callable[[str, Ask], Answer]:
    """Return the function from a request's own line (over ``default``) and what it asks to its answer.

    It raises ValueError for a mistake in the line, and for a count that is none.
    """

    def answer(line: str, ask: Ask) -> Answer:
        tokens = ask.max_tokens or DEFAULT_TOKENS
        if not 0 < tokens <= _MAX_TOKENS:
            raise ValueError(f"max_tokens={tokens}; allowed: a whole number from 1 to {_MAX_TOKENS}")
        return answer_of(Timetable.parse(line, default), ask._replace(max_tokens=tokens))

    return answer


def answer_of(timetable: Timetable, ask: Ask) -> Answer:
    """Return the answer that ``timetable`` gives to ``ask``."""
    wanted = timetable.tokens or ask.max_tokens
    if timetable.status != HTTPStatus.OK:
        return _in_one_piece(timetable, refusal(timetable.status, "as the timetable says"), 0)
    if timetable.reset_after is not None and timetable.reset_after <= wanted:
        return _until_reset(timetable, ask, timetable.reset_after if ask.stream else 0)
    if not ask.stream:
        return _in_one_piece(timetable, _whole(timetable, ask, wanted), wanted)
    if timetable.truncate_after is not None and timetable.truncate_after <= wanted:
        return _stream(timetable, ask, timetable.truncate_after, _LAST_CHUNK, finishes=False)
    return _stream(timetable, ask, wanted, _stream_end(timetable, ask, wanted), finishes=True)


def page(body: bytes, kind: str = "application/json", status: int = 200, more: str = "") -> bytes:
    """Return a whole answer with its length."""
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {kind}\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@lru_cache(maxsize=256)
def refusal(status: int, message: str) -> bytes:
    """Return an error in OpenAI's shape; 429 and 503 say when to come back."""
    body = {"error": {"message": message, "type": HTTPStatus(status).phrase, "code": status}}
    more = "Retry-After: 1\r\n" if status in (429, 503) else ""
    return page(json.dumps(body).encode(), status=status, more=more)


def _in_one_piece(timetable: Timetable, data: bytes, tokens: int) -> Answer:
    return _answer(timetable, 1, data, b"", b"", tokens, finishes=bool(tokens))


def _stream(timetable: Timetable, ask: Ask, tokens: int, end: bytes, *, finishes: bool) -> Answer:
    """Make one write a token; the head goes with the first, and the end with the last."""
    if tokens <= 1:
        first = _STREAM_HEAD + _token(ask) * tokens + end
        return _answer(timetable, 1, first, b"", b"", tokens, finishes=finishes, stream=True)
    first, token = _STREAM_HEAD + _token(ask), _token(ask)
    return _answer(timetable, tokens, first, token, token + end, tokens, finishes=finishes, stream=True)


def _until_reset(timetable: Timetable, ask: Ask, tokens: int) -> Answer:
    first = _STREAM_HEAD + _token(ask) if tokens else b""
    return _answer(timetable, tokens + 1, first, _token(ask), b"", tokens, resets=True, stream=True)


def _token(ask: Ask) -> bytes:
    return _event(ask, _choice(ask, _TEXT, None))


def _stream_end(timetable: Timetable, ask: Ask, tokens: int) -> bytes:
    finish = _event(ask, _choice(ask, "", _reason(timetable)))
    usage = _event(ask, None, tokens) if ask.usage else b""
    return finish + usage + _chunk(b"data: [DONE]\n\n") + _LAST_CHUNK


def _whole(timetable: Timetable, ask: Ask, tokens: int) -> bytes:
    text, reason = _TEXT * tokens, _reason(timetable)
    choice: dict[str, Any] = {"index": 0, "finish_reason": reason, "text": text}
    if ask.api == "chat":
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": reason, "message": message}
    body = _envelope(ask, "") | {"choices": [choice], "usage": _usage(tokens)}
    return page(json.dumps(body).encode())


def _event(ask: Ask, choice: dict[str, Any] | None, usage_tokens: int | None = None) -> bytes:
    data = _envelope(ask, ".chunk" if ask.api == "chat" else "")
    data["choices"] = [choice] if choice else []
    if usage_tokens is not None:
        data["usage"] = _usage(usage_tokens)
    return _chunk(b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n")


def _choice(ask: Ask, text: str, reason: str | None) -> dict[str, Any]:
    said: dict[str, Any] = {"text": text} if ask.api == "completions" else {"delta": {"content": text}}
    if ask.api == "chat" and not text:
        said = {"delta": {}}
    return {"index": 0, **said, "finish_reason": reason}


def _envelope(ask: Ask, suffix: str) -> dict[str, Any]:
    return {"id": _ID[ask.api], "object": _OBJECT[ask.api] + suffix, "created": 0, "model": MODEL}


def _usage(tokens: int) -> dict[str, int]:
    total = PROMPT_TOKENS + tokens
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": tokens, "total_tokens": total}


def _reason(timetable: Timetable) -> str:
    return "length" if timetable.tokens is None else "stop"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
