"""One gRPC answer of vLLM's service, from its frames to its outcome: the counterpart of ``exchange``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from harness.measure.record import Outcome, RequestRecord, TokenSource
from harness.wire.grpc import PREFIX_BYTES, GrpcError, MessageSplitter, prefixed, status_name
from harness.wire.hpack_block import Fields
from harness.wire.recorded import Recorded
from harness.wire.vllm_grpc import Piece, decode_piece

_OUTCOMES = {
    "RESOURCE_EXHAUSTED": Outcome.REJECTED,
    "UNAVAILABLE": Outcome.REJECTED,  # what 503 is to HTTP: the server answered, and would not serve
    "DEADLINE_EXCEEDED": Outcome.TIMEOUT,
}
_REFUSALS = (429, 503)
_BROKEN_FINISHES = ("error", "abort")  # the engine gave up: the answer is not whole
_CONTINUED = bytes(range(0x80, 0x100))
_CHUNK_TAG, _TOKEN_IDS_TAG = 0x0A, 0x0A
_ONE_BYTE_LENGTH = 0x80
_HEAD_BYTES = PREFIX_BYTES + 4


class GrpcAnswer(Recorded):
    """The state of one answer to Generate. Instants are nanoseconds on the caller's clock.

    It takes what HTTP/2 delivers for its stream. ``outcome`` is None until the answer has ended. ``on_gap``
    takes every gap between consecutive messages with tokens. ``heard_ns`` is when anything last came.
    """

    __slots__ = (
        "_heads",
        "_ids_end",
        "_messages",
        "_on_gap",
        "_stream",
        "_tail",
        "bytes_received",
        "cached_tokens",
        "chunks",
        "error_type",
        "finish_reason",
        "first_byte_ns",
        "first_token_ns",
        "gaps_ns",
        "heard_ns",
        "last_token_ns",
        "max_gap_ns",
        "outcome",
        "pieces",
        "prompt_tokens",
        "status",
        "status_field",
        "tokens",
        "total_tokens",
    )

    def __init__(self, stream: bool, on_gap: Callable[[int], object], *, keep_gaps: bool = False) -> None:
        self._stream = stream
        self._on_gap = on_gap
        self._messages = MessageSplitter()
        self._heads: dict[int, bytes] = {}
        self._tail = b""
        self._ids_end = 0
        self.outcome: Outcome | None = None
        self.error_type: str | None = None
        self.heard_ns = 0
        self.first_byte_ns: int | None = None
        self.first_token_ns: int | None = None
        self.last_token_ns: int | None = None
        self.bytes_received = 0
        self.chunks = 0
        self.tokens = 0
        self.total_tokens = 0
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.max_gap_ns = 0
        self.gaps_ns: list[int] | None = [] if keep_gaps else None
        self.pieces: list[str] | None = None  # the service sends token ids, not text
        self.finish_reason: str | None = None
        self.status: int | None = None
        self.status_field: bytes | None = None

    def take_fields(self, fields: Fields, now_ns: int) -> None:
        """Take the head, or the trailers, which carry gRPC's own status."""
        self._hear(now_ns)
        given = dict(fields)
        if self.status is None:
            self._take_head(given)
        self.status_field = given.get(b"grpc-status", self.status_field)

    def take_data(self, data: bytes, now_ns: int) -> None:
        """Take the payload of one frame; the common one is a whole chunk with the tokens of one step."""
        head = self._heads.get(len(data))
        if head is not None and data.startswith(head) and data.endswith(self._tail):
            ids = data[_HEAD_BYTES : self._ids_end]
            if ids[-1] < _ONE_BYTE_LENGTH:
                self.heard_ns = now_ns
                self.bytes_received += len(data)
                self.tokens += len(ids.translate(None, _CONTINUED))
                self._count_chunk(now_ns)
                return
        self._hear(now_ns)
        self.bytes_received += len(data)
        self._heads = {}
        if self.status == 200:  # else it is some proxy's page
            self._take_messages(data, now_ns)

    def take_end(self, now_ns: int) -> None:
        """Settle what the answer was: the peer has said its last word."""
        self._hear(now_ns)
        if self.status is None:
            self.end(Outcome.MALFORMED, "http: no status")
            return
        if self.status != 200:
            failed = Outcome.REJECTED if self.status in _REFUSALS else Outcome.HTTP_ERROR
            self.end(failed, f"status {self.status}")
            return
        name = None if self.status_field is None else status_name(self.status_field)
        if name is None:
            self.end(Outcome.MALFORMED, "grpc: no status")
        elif name != "OK":
            self.end(_OUTCOMES.get(name, Outcome.HTTP_ERROR), f"grpc: {name}")
        else:
            self._settle()

    def take_reset(self, error: str) -> None:
        """Take the peer's abrupt end: what was under way is lost."""
        calm = error == "ENHANCE_YOUR_CALM"  # the specification's word for "too much load"
        self.end(Outcome.REJECTED if calm else Outcome.DISCONNECTED, f"rst_stream: {error}")

    def end(self, outcome: Outcome, error: str | None = None) -> None:
        """End the answer as ``outcome``: ours (timeout, cancelled, …) or found in the frames."""
        if self.outcome is None:
            self.outcome, self.error_type = outcome, error

    def release(self) -> None:
        """Nothing to let go of: the answer refers to no parser."""

    def _hear(self, now_ns: int) -> None:
        self.heard_ns = now_ns
        if self.first_byte_ns is None:
            self.first_byte_ns = now_ns

    def _take_head(self, given: dict[bytes, bytes]) -> None:
        status = given.get(b":status", b"")
        if not status.isdigit():
            self.end(Outcome.MALFORMED, "http: no status")
        elif int(status) >= 200:  # an interim answer (1xx) is none
            self.status = int(status)
            if self.status == 200 and not given.get(b"content-type", b"").startswith(b"application/grpc"):
                self.end(Outcome.MALFORMED, "grpc: another content type")

    def _take_messages(self, data: bytes, now_ns: int) -> None:
        whole = self._messages.idle
        try:
            for message in self._messages.feed(data):
                piece = decode_piece(message)
                self._take_piece(piece, now_ns)
                if self._stream and whole and len(message) == len(data) - PREFIX_BYTES:
                    self._learn(message, piece)
        except GrpcError as error:
            self.end(Outcome.MALFORMED, f"grpc: {error}")

    def _take_piece(self, piece: Piece, now_ns: int) -> None:
        self.prompt_tokens = piece.prompt_tokens or self.prompt_tokens
        self.cached_tokens = piece.cached_tokens or self.cached_tokens
        if piece.finish_reason is None:
            self._add(piece.tokens, now_ns)
            return
        self.finish_reason = piece.finish_reason
        self.total_tokens = piece.total_tokens
        if not self.chunks:  # else it only says again what the last chunk said
            self._add(piece.tokens, now_ns)

    def _add(self, tokens: int, now_ns: int) -> None:
        if tokens:
            self.tokens += tokens
            self._count_chunk(now_ns)

    def _count_chunk(self, now_ns: int) -> None:
        if self.last_token_ns is None:
            self.first_token_ns = now_ns
        else:
            gap_ns = now_ns - self.last_token_ns
            self._on_gap(gap_ns)
            if gap_ns > self.max_gap_ns:
                self.max_gap_ns = gap_ns
            if self.gaps_ns is not None:
                self.gaps_ns.append(gap_ns)
        self.last_token_ns = now_ns
        self.chunks += 1

    def _learn(self, message: bytes, piece: Piece) -> None:
        """Note the bytes around the token ids: a message that has the same ones differs in its ids only.

        For then its parts are where they were: the chunk fills the message, the ids come first in it, and
        what follows them was decoded in full once, and held no ids.
        """
        if len(message) < 5 or (message[0], message[2]) != (_CHUNK_TAG, _TOKEN_IDS_TAG):
            return
        chunk_bytes, ids_bytes = message[1], message[3]
        ids, tail = message[4 : 4 + ids_bytes], message[4 + ids_bytes :]
        fills = chunk_bytes == len(message) - 2 < _ONE_BYTE_LENGTH and ids_bytes < _ONE_BYTE_LENGTH
        if fills and tail and len(ids.translate(None, _CONTINUED)) == piece.tokens:
            self._tail, self._ids_end, self._heads = tail, -len(tail), _heads_before(len(tail))

    def _settle(self) -> None:
        if self.finish_reason in _BROKEN_FINISHES:
            self.end(Outcome.HTTP_ERROR, f"finish: {self.finish_reason}")
        elif self.finish_reason is None and self.bytes_received:
            self.end(Outcome.TRUNCATED, "no GenerateComplete")
        else:
            self.end(Outcome.OK if self.chunks else Outcome.EMPTY)

    def _fill_tokens(self, record: RequestRecord) -> None:
        if self.finish_reason is not None:
            record.output_tokens, record.token_source = max(self.tokens, self.total_tokens), TokenSource.USAGE
        elif self.chunks:
            record.output_tokens, record.token_source = self.tokens, TokenSource.CHUNKS
        if self.prompt_tokens:
            record.input_tokens, record.cached_tokens = self.prompt_tokens, self.cached_tokens


@cache
def _heads_before(tail_bytes: int) -> dict[int, bytes]:
    """Return, for each payload length, the bytes up to the ids of a chunk whose ids end before that tail."""
    heads = {}
    for ids_bytes in range(1, _ONE_BYTE_LENGTH):
        chunk_bytes = 2 + ids_bytes + tail_bytes
        if chunk_bytes < _ONE_BYTE_LENGTH:
            inner = bytes((_CHUNK_TAG, chunk_bytes, _TOKEN_IDS_TAG, ids_bytes))
            heads[_HEAD_BYTES + ids_bytes + tail_bytes] = prefixed(inner + bytes(ids_bytes + tail_bytes))[
                :_HEAD_BYTES
            ]
    return heads
