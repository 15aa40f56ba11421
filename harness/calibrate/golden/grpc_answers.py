"""A gRPC answer's frames, rendered once for every kind of request; a stream's number is put in as they go.

The counterpart of ``answers`` for vLLM's engine service, over the same timetables.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from smg_grpc_proto import vllm_engine_pb2 as pb

from harness.calibrate.golden.answers import MODEL
from harness.calibrate.golden.timetable import Timetable, drawn
from harness.wire.grpc import STATUS_NAMES, prefixed
from harness.wire.hpack_block import literal
from harness.wire.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, frame

TOKEN_ID = 4242
_STATUS_200 = b"\x88"  # entry 8 of HPACK's static table
_INTERNAL_ERROR = (2).to_bytes(4, "big")
_NAMES = {
    HTTPStatus.BAD_REQUEST: "INVALID_ARGUMENT",
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    HTTPStatus.NOT_IMPLEMENTED: "UNIMPLEMENTED",
    HTTPStatus.SERVICE_UNAVAILABLE: "UNAVAILABLE",
    HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
}


class Frames(NamedTuple):
    """Frames cut where the stream's number stands; ``data_bytes`` of them count against the windows."""

    pieces: tuple[bytes, ...]
    data_bytes: int

    def of(self, number: bytes) -> bytes:
        """Return the bytes for one stream."""
        return number.join(self.pieces)


class GrpcAsk(NamedTuple):
    """What of a GenerateRequest decides its answer."""

    stream: bool
    max_tokens: int
    prompt_tokens: int


class GrpcScript:
    """The writes of one kind of answer, and the delays before them. Made once, shared, never changed.

    ``first`` goes out with write 1 and ``last`` with write ``writes`` (when that is another one), ``middle``
    with all between. ``breaks``: the last write brings no end of the answer.
    """

    __slots__ = (
        *("writes", "first", "middle", "last", "tokens", "breaks", "stream", "refuses", "status"),
        *("gaps_ns", "gaps_mask", "stalls_ns", "_timetable"),
    )

    def __init__(
        self,
        timetable: Timetable,
        parts: list[Frames],
        tokens: int,
        *,
        breaks: bool = False,
        stream: bool = True,
    ) -> None:
        self.writes = len(parts)
        self.first, self.last = parts[0], parts[-1]
        self.middle = parts[1] if len(parts) > 2 else parts[-1]
        self.tokens = tokens
        self.breaks, self.stream = breaks, stream
        self.refuses = timetable.status != HTTPStatus.OK
        self.status = timetable.status
        self.gaps_ns = drawn(timetable.gap)
        self.gaps_mask = len(self.gaps_ns) - 1
        self.stalls_ns = dict(timetable.stalls)
        self._timetable = timetable

    def first_delay_ns(self, position: int) -> int:
        """Return when write 1 is due after the request's arrival."""
        tokens = 1 if self.stream else max(self.tokens, 1)
        return self._timetable.offsets_ns(tokens, position)[-1]


def scripter(default: Timetable) -> Callable[[str, GrpcAsk], GrpcScript]:
    """Return the function from a request's own line (over ``default``) and what it asks to its answer.

    It keeps what it made. It raises ValueError for a mistake in the line.
    """

    @lru_cache(maxsize=1024)
    def script(line: str, ask: GrpcAsk) -> GrpcScript:
        return script_of(Timetable.parse(line, default), ask)

    return script


def script_of(timetable: Timetable, ask: GrpcAsk) -> GrpcScript:
    """Return the answer that ``timetable`` gives to ``ask``."""
    wanted = timetable.tokens or ask.max_tokens
    reason = "length" if timetable.tokens is None else "stop"
    if timetable.status != HTTPStatus.OK:
        return GrpcScript(timetable, [failure(_name_of(timetable.status))], 0, stream=False)
    if timetable.reset_after is not None and timetable.reset_after <= wanted:
        tokens = timetable.reset_after if ask.stream else 0
        parts = [*_tokens(ask, tokens), _reset()]
        return GrpcScript(timetable, parts, tokens, breaks=True)
    if not ask.stream:
        whole = _head() + message(_complete(ask, wanted, reason)) + _trailers("OK")
        return GrpcScript(timetable, [_frames(whole)], wanted, stream=False)
    if timetable.truncate_after is not None and timetable.truncate_after <= wanted:
        tokens = timetable.truncate_after
        return GrpcScript(timetable, _ended(ask, tokens, _trailers("OK")), tokens, breaks=True)
    end = message(_complete(ask, 1, reason)) + _trailers("OK")
    return GrpcScript(timetable, _ended(ask, wanted, end), wanted)


def failure(name: str) -> Frames:
    """Return an answer that is nothing but a status."""
    block = _STATUS_200 + literal(b"content-type", b"application/grpc") + _status(name)
    return _frames([(HEADERS, END_HEADERS | END_STREAM, block)])


def unary(payload: bytes) -> Frames:
    """Return the answer to a call with one message."""
    return _frames(_head() + message(payload) + _trailers("OK"))


Parts = list[tuple[int, int, bytes]]


def message(payload: bytes) -> Parts:
    """Return one message as a DATA frame."""
    return [(DATA, 0, prefixed(payload))]


def model_info() -> bytes:
    """Return what GetModelInfo answers."""
    return bytes(
        pb.GetModelInfoResponse(
            model_path=MODEL, served_model_name=MODEL, is_generation=True, max_context_length=1 << 20
        ).SerializeToString()
    )


def _ended(ask: GrpcAsk, tokens: int, end: Parts) -> list[Frames]:
    """Make one write a token; the head goes with the first, and the end with the last."""
    if tokens <= 1:
        return [_frames(_head() + message(_chunk(ask)) * tokens + end)]
    parts = _tokens(ask, tokens)
    parts[-1] = _frames(message(_chunk(ask)) + end)
    return parts


def _tokens(ask: GrpcAsk, tokens: int) -> list[Frames]:
    token = _frames(message(_chunk(ask)))
    return [_frames(_head() + message(_chunk(ask)))] + [token] * (tokens - 1) if tokens else []


def _chunk(ask: GrpcAsk) -> bytes:
    chunk = pb.GenerateStreamChunk(token_ids=[TOKEN_ID], prompt_tokens=ask.prompt_tokens, completion_tokens=1)
    return bytes(pb.GenerateResponse(chunk=chunk).SerializeToString())


def _complete(ask: GrpcAsk, tokens: int, reason: str) -> bytes:
    """Say as vLLM does, in a stream, what the last chunk said: its tokens only."""
    complete = pb.GenerateComplete(
        output_ids=[TOKEN_ID] * tokens,
        finish_reason=reason,
        prompt_tokens=ask.prompt_tokens,
        completion_tokens=tokens,
    )
    return bytes(pb.GenerateResponse(complete=complete).SerializeToString())


def _head() -> Parts:
    return [(HEADERS, END_HEADERS, _STATUS_200 + literal(b"content-type", b"application/grpc"))]


def _trailers(name: str) -> Parts:
    return [(HEADERS, END_HEADERS | END_STREAM, _status(name))]


def _status(name: str) -> bytes:
    return literal(b"grpc-status", str(STATUS_NAMES.index(name)).encode()) + literal(b"grpc-message", b"")


def _reset() -> Frames:
    return _frames([(RST_STREAM, 0, _INTERNAL_ERROR)])


def _name_of(status: int) -> str:
    return _NAMES.get(HTTPStatus(status), "INTERNAL" if status >= 500 else "FAILED_PRECONDITION")


def _frames(parts: Parts) -> Frames:
    """Cut the frames where the stream's number stands: 4 bytes, 5 bytes into each."""
    pieces, rest = [], b""
    for kind, flags, payload in parts:
        whole = frame(kind, flags, 0, payload)
        pieces.append(rest + whole[:5])
        rest = whole[9:]
    data_bytes = sum(len(payload) for kind, _, payload in parts if kind == DATA)
    return Frames((*pieces, rest), data_bytes)
