"""HTTP/2 on the client's side, without a socket: many streams over the bytes of one connection (RFC 9113)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from hpack import Decoder
from hpack.exceptions import HPACKError

from harness.wire.hpack_block import ConstantFields, Fields

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)
ACK = END_STREAM = 0x1
END_HEADERS, PADDED, PRIORITIZED = 0x4, 0x8, 0x20

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEAD_BYTES = 9
MAX_FRAME_BYTES = 1 << 14
"""What a peer may send us, and what we may send it until it says otherwise: the protocol's default."""
MAX_WINDOW_BYTES = (1 << 31) - 1
DEFAULT_WINDOW_BYTES = (1 << 16) - 1
MAX_STREAM_ID = (1 << 31) - 1
MAX_FIELDS_BYTES = 1 << 18

_HEADER_TABLE_SIZE, _ENABLE_PUSH, _MAX_CONCURRENT_STREAMS, _INITIAL_WINDOW, _MAX_FRAME = 1, 2, 3, 4, 5
_DEFAULT_TABLE_BYTES = 4096
_REFUSED_STREAM, _CANCEL = 7, 8
ERROR_NAMES = (
    *("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT"),
    *("STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR"),
    *("ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"),
)

_frame_head = struct.Struct(">BHBBI")
_unpack_head = _frame_head.unpack_from
_setting = struct.Struct(">HI")
_word = struct.Struct(">I")


class Http2Error(ValueError):
    """The peer broke the protocol: nothing on this connection can be trusted any more."""


class Stream(Protocol):
    """One stream's receiver. It sets ``outcome`` once it wants no more; ``chunks`` counts what came."""

    chunks: int

    @property
    def outcome(self) -> object | None:
        """Return what became of it; None while it is open."""

    def take_fields(self, fields: Fields, now_ns: int) -> None:
        """Take the header fields, or the trailers."""

    def take_data(self, data: bytes, now_ns: int) -> None:
        """Take the payload of one DATA frame."""

    def take_end(self, now_ns: int) -> None:
        """Take the end of the stream."""

    def take_reset(self, error: str) -> None:
        """Take the peer's abrupt end of the stream."""


StreamT = TypeVar("StreamT", bound=Stream)
_TakenT = TypeVar("_TakenT", bound=Stream, contravariant=True)


class Owner(Protocol[_TakenT]):
    """Who is told what became of the connection and of its streams."""

    def on_ready(self) -> None:
        """The peer's settings are here: streams may be opened."""

    def on_ended(self, stream: _TakenT) -> None:
        """``stream`` has its outcome and is closed."""

    def on_refused(self, stream: _TakenT, reason: str) -> None:
        """``stream`` was surely not processed: it may be sent again elsewhere."""


@dataclass(slots=True)
class _Upload:
    """A body that waits for the peer's window."""

    rest: bytes
    window_bytes: int


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """Return one frame; the payload must fit the peer's largest frame."""
    size = len(payload)
    return _frame_head.pack(size >> 16, size & 0xFFFF, kind, flags, stream_id) + payload


def settings_frame(values: dict[int, int]) -> bytes:
    """Return a SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(_setting.pack(key, value) for key, value in values.items()))


def window_update(stream_id: int, more_bytes: int) -> bytes:
    """Return a WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream_id, _word.pack(more_bytes))


def error_name(code: int) -> str:
    """Return an error code as people know it: ``REFUSED_STREAM``."""
    return ERROR_NAMES[code] if code < len(ERROR_NAMES) else f"ERROR_{code}"


_HELLO = (
    PREFACE
    + settings_frame({_ENABLE_PUSH: 0, _INITIAL_WINDOW: MAX_WINDOW_BYTES})
    + window_update(0, MAX_WINDOW_BYTES - DEFAULT_WINDOW_BYTES)
)
"""The widest windows there are: a generator that throttles its target measures itself."""


class Http2Connection(Generic[StreamT]):
    """The client's end. ``receive`` takes what was read, ``outgoing`` returns what must be written.

    ``ready``: the peer's settings have come. ``draining``: no new stream may be opened. ``peer_limit``: how
    many streams the peer allows at once. ``chunk_reads`` counts the reads that held chunks of any stream, and
    ``shared_chunk_reads`` those that held several, whose times are one.
    """

    __slots__ = (
        "_blocks",
        "_constant",
        "_decoder",
        "_fields_flags",
        "_fields_id",
        "_fields_part",
        "_flowing",
        "_initial_window",
        "_max_frame",
        "_next_id",
        "_out",
        "_owner",
        "_rest",
        "_streams",
        "_table_bytes",
        "_taken_bytes",
        "_uploads",
        "_window_bytes",
        "chunk_reads",
        "draining",
        "peer_limit",
        "ready",
        "shared_chunk_reads",
    )

    def __init__(self, owner: Owner[StreamT], constant: ConstantFields) -> None:
        self._owner = owner
        self._constant = constant
        self._streams: dict[int, StreamT] = {}
        self._uploads: dict[int, _Upload] = {}
        self._decoder = Decoder()
        self._blocks: dict[bytes, Fields] = {}
        self._out: list[bytes] = [_HELLO]
        self._rest = b""
        self._next_id = 1
        self._taken_bytes = 0
        self._window_bytes = self._initial_window = DEFAULT_WINDOW_BYTES
        self._max_frame = MAX_FRAME_BYTES
        self._table_bytes = _DEFAULT_TABLE_BYTES
        self._fields_id = self._fields_flags = 0
        self._fields_part: bytes | None = None
        self._flowing = False  # any kind of frame may come: the settings are here, no block is half read
        self.peer_limit = MAX_STREAM_ID
        self.chunk_reads = self.shared_chunk_reads = 0
        self.ready = False
        self.draining = False

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    def open(self, fields: bytes, body: bytes, stream: StreamT) -> int:
        """Send a request: its own fields as an HPACK block of literals, and its body. Return its id."""
        stream_id = self._next_id
        self._next_id += 2
        self.draining = self.draining or self._next_id > MAX_STREAM_ID
        self._streams[stream_id] = stream
        block = self._constant.block(self._table_bytes, first=stream_id == 1) + fields
        self._out.append(frame(HEADERS, END_HEADERS, stream_id, block))
        if len(body) <= min(self._max_frame, self._window_bytes, self._initial_window):
            self._window_bytes -= len(body)
            self._out.append(frame(DATA, END_STREAM, stream_id, body))
        else:
            self._uploads[stream_id] = _Upload(body, self._initial_window)
            self._pump()
        return stream_id

    def reset(self, stream_id: int) -> None:
        """Cancel a stream, if it is still open."""
        if self._streams.pop(stream_id, None) is not None:
            self._uploads.pop(stream_id, None)
            self._out.append(frame(RST_STREAM, 0, stream_id, _word.pack(_CANCEL)))

    def abandon(self) -> list[StreamT]:
        """Forget every stream, for the connection is gone; return them in the order of their opening."""
        streams = list(self._streams.values())
        self._streams.clear()
        self._uploads.clear()
        self.draining = True
        return streams

    def outgoing(self) -> bytes:
        """Return the bytes that the network must get now."""
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take the bytes of one read, with its instant. Raises Http2Error."""
        if self._rest:
            data = self._rest + data
        at, end, chunks = 0, len(data), 0
        streams = self._streams
        while end - at >= FRAME_HEAD_BYTES:
            high, low, kind, flags, stream_id = _unpack_head(data, at)
            body = at + FRAME_HEAD_BYTES
            at = body + low + (high << 16)
            if at > end:
                at = body - FRAME_HEAD_BYTES
                if (high << 16) + low > MAX_FRAME_BYTES:
                    raise Http2Error(self._not_a_frame(data))
                break
            if kind == DATA and self._flowing and not flags & PADDED:
                self._taken_bytes += at - body
                stream = streams.get(stream_id)
                if stream is not None:
                    before = stream.chunks
                    stream.take_data(data[body:at], now_ns)
                    chunks += stream.chunks - before
                    if flags or stream.outcome is not None:
                        self._after(stream_id, stream, flags, now_ns)
            else:
                self._take(kind, flags, stream_id & MAX_STREAM_ID, data[body:at], now_ns)
        self._rest = data[at:]
        self.chunk_reads += chunks > 0
        self.shared_chunk_reads += chunks > 1
        if self._taken_bytes > MAX_WINDOW_BYTES >> 1:
            self._out.append(window_update(0, self._taken_bytes))
            self._taken_bytes = 0

    def _not_a_frame(self, data: bytes) -> str:
        if not self.ready and data.startswith(b"HTTP/"):
            return "an HTTP/1 answer"
        return "a frame that is too long" if self.ready else "no SETTINGS frame"

    def _take(self, kind: int, flags: int, stream_id: int, payload: bytes, now_ns: int) -> None:
        if not self.ready and kind != SETTINGS:
            raise Http2Error("no SETTINGS frame")
        if self._fields_part is not None and kind != CONTINUATION:
            raise Http2Error("a header block was interrupted")
        try:
            self._dispatch(kind, flags, stream_id, payload, now_ns)
        except (struct.error, IndexError):
            raise Http2Error("a frame that is too short") from None

    def _dispatch(self, kind: int, flags: int, stream_id: int, payload: bytes, now_ns: int) -> None:
        if kind == DATA:
            self._take_padded(flags, stream_id, payload, now_ns)
        elif kind == HEADERS:
            self._take_headers(flags, stream_id, payload, now_ns)
        elif kind == CONTINUATION:
            self._take_continuation(flags, stream_id, payload, now_ns)
        elif kind == RST_STREAM:
            self._take_reset(stream_id, _word.unpack(payload)[0])
        elif kind == SETTINGS and not flags & ACK:
            self._take_settings(payload)
        elif kind == PING and not flags & ACK:
            self._out.append(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self._take_goaway(payload)
        elif kind == WINDOW_UPDATE:
            self._take_window(stream_id, _word.unpack(payload)[0])
        elif kind == PUSH_PROMISE:
            raise Http2Error("a pushed stream, which was switched off")

    def _take_padded(self, flags: int, stream_id: int, payload: bytes, now_ns: int) -> None:
        self._taken_bytes += len(payload)
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.take_data(_without_padding(payload, flags), now_ns)
            self._after(stream_id, stream, flags, now_ns)

    def _after(self, stream_id: int, stream: StreamT, flags: int, now_ns: int) -> None:
        """Close the stream, if the peer has ended it or the receiver wants no more."""
        if flags & END_STREAM:
            self._streams.pop(stream_id, None)
            self._uploads.pop(stream_id, None)
            if stream.outcome is None:
                stream.take_end(now_ns)
            self._owner.on_ended(stream)
        elif stream.outcome is not None:
            self.reset(stream_id)
            self._owner.on_ended(stream)

    def _take_headers(self, flags: int, stream_id: int, payload: bytes, now_ns: int) -> None:
        payload = _without_padding(payload, flags)
        if flags & PRIORITIZED:
            payload = payload[5:]
        self._fields_id, self._fields_flags, self._fields_part = stream_id, flags, b""
        self._flowing = False
        self._take_continuation(flags, stream_id, payload, now_ns)

    def _take_continuation(self, flags: int, stream_id: int, payload: bytes, now_ns: int) -> None:
        if self._fields_part is None or stream_id != self._fields_id:
            raise Http2Error("a CONTINUATION of nothing")
        self._fields_part += payload
        if len(self._fields_part) > MAX_FIELDS_BYTES:
            raise Http2Error("a header block that is too long")
        if not flags & END_HEADERS:
            return
        block, self._fields_part, self._flowing = self._fields_part, None, True
        fields = self._decode(block)  # also for a stream that is gone: the table must stay in step
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.take_fields(fields, now_ns)
            self._after(stream_id, stream, self._fields_flags, now_ns)

    def _decode(self, block: bytes) -> Fields:
        """Decode a header block; one that was seen since the table last changed means what it meant then."""
        known = self._blocks.get(block)
        if known is not None:
            return known
        entries = self._decoder.header_table.dynamic_entries
        before = (len(entries), entries[0] if entries else None)
        try:
            fields = tuple(
                (bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)
            )
        except HPACKError as error:
            raise Http2Error(f"hpack: {type(error).__name__}") from None
        entries = self._decoder.header_table.dynamic_entries
        if (len(entries), entries[0] if entries else None) != before or len(self._blocks) > 100:
            self._blocks.clear()
        else:
            self._blocks[block] = fields
        return fields

    def _take_reset(self, stream_id: int, code: int) -> None:
        stream = self._streams.pop(stream_id, None)
        self._uploads.pop(stream_id, None)
        if stream is None:
            return
        if code == _REFUSED_STREAM:
            self._owner.on_refused(stream, "REFUSED_STREAM")
            return
        stream.take_reset(error_name(code))
        self._owner.on_ended(stream)

    def _take_settings(self, payload: bytes) -> None:
        for key, value in _setting.iter_unpack(payload):
            if key == _MAX_CONCURRENT_STREAMS:
                self.peer_limit = value
            elif key == _INITIAL_WINDOW:
                self._move_windows(value)
            elif key == _MAX_FRAME:
                self._max_frame = value
            elif key == _HEADER_TABLE_SIZE:
                self._table_bytes = value
        self._out.append(frame(SETTINGS, ACK, 0, b""))
        if not self.ready:
            self.ready = self._flowing = True
            self._owner.on_ready()

    def _move_windows(self, initial_window: int) -> None:
        for upload in self._uploads.values():
            upload.window_bytes += initial_window - self._initial_window
        self._initial_window = initial_window
        self._pump()

    def _take_window(self, stream_id: int, more_bytes: int) -> None:
        if stream_id == 0:
            self._window_bytes += more_bytes
        elif stream_id in self._uploads:
            self._uploads[stream_id].window_bytes += more_bytes
        self._pump()

    def _pump(self) -> None:
        """Send as much of the waiting bodies as the windows allow."""
        for stream_id, upload in list(self._uploads.items()):
            while (
                size := min(len(upload.rest), self._max_frame, self._window_bytes, upload.window_bytes)
            ) > 0:
                piece, upload.rest = upload.rest[:size], upload.rest[size:]
                self._window_bytes -= size
                upload.window_bytes -= size
                self._out.append(frame(DATA, 0 if upload.rest else END_STREAM, stream_id, piece))
            if not upload.rest:
                del self._uploads[stream_id]

    def _take_goaway(self, payload: bytes) -> None:
        last_id, code = struct.unpack_from(">II", payload)
        self.draining = True
        for stream_id in [id_ for id_ in self._streams if id_ > last_id & MAX_STREAM_ID]:
            stream = self._streams.pop(stream_id)
            self._uploads.pop(stream_id, None)
            self._owner.on_refused(stream, f"GOAWAY {error_name(code)}")


def _without_padding(payload: bytes, flags: int) -> bytes:
    if not flags & PADDED:
        return payload
    if payload[0] >= len(payload):
        raise Http2Error("more padding than payload")
    return payload[1 : len(payload) - payload[0]]
