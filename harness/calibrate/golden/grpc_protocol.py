"""One connection of the golden gRPC target: many streams, each by its timetable, and the truth logged."""

from __future__ import annotations

import asyncio
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from google.protobuf.message import DecodeError
from hpack import Decoder
from smg_grpc_proto import vllm_engine_pb2 as pb

from harness.calibrate.golden import counts
from harness.calibrate.golden.answers import DEFAULT_TOKENS, PROMPT_TOKENS
from harness.calibrate.golden.counts import SharedCounts
from harness.calibrate.golden.grpc_answers import Frames, GrpcAsk, GrpcScript, failure, model_info, unary
from harness.calibrate.golden.log import TRACE_BYTES, TruthLog
from harness.calibrate.golden.schedule import Schedule
from harness.wire.grpc import PREFIX_BYTES
from harness.wire.http2 import (
    ACK,
    DATA,
    DEFAULT_WINDOW_BYTES,
    END_STREAM,
    FRAME_HEAD_BYTES,
    HEADERS,
    MAX_WINDOW_BYTES,
    PADDED,
    PING,
    PREFACE,
    PRIORITIZED,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    settings_frame,
    window_update,
)
from harness.wire.vllm_grpc import GENERATE, GET_MODEL_INFO

_MAX_CONCURRENT_STREAMS, _INITIAL_WINDOW = 3, 4
_HEALTH_CHECK = "/vllm.grpc.engine.VllmEngine/HealthCheck"
_NO_TRACE = bytes(TRACE_BYTES)
_head = struct.Struct(">BHBBI").unpack_from
_setting = struct.Struct(">HI")


@dataclass(slots=True)
class GoldenGrpc:
    """What all connections share, and what they count: connections, and the most streams that one had open.

    ``max_streams``: how many streams a connection is told that it may have.
    """

    script_of: Callable[[str, GrpcAsk], GrpcScript]
    schedule: Schedule
    log: TruthLog
    counts: SharedCounts
    max_streams: int
    connections: int = 0
    most_streams: int = 0
    open_streams: int = 0
    most_open_streams: int = 0
    free_keys: list[int] = field(default_factory=list)
    next_key: int = 0

    def key(self) -> int:
        """Return a number for the schedule that no stream has now."""
        if self.free_keys:
            return self.free_keys.pop()
        self.next_key += 1
        return self.next_key


class _Stream:
    """One call. It writes when the schedule says so."""

    __slots__ = (
        "_connection",
        "_last_ns",
        "_middle",
        "_position",
        "_row",
        "body",
        "due_ns",
        "fields",
        "key",
        "number",
        "script",
        "window_bytes",
        "written",
    )

    def __init__(self, connection: GoldenGrpcProtocol, number: bytes, fields: dict[bytes, bytes]) -> None:
        self._connection = connection
        self.number = number
        self.fields = fields
        self.body = b""
        self.script: GrpcScript | None = None
        self.key = 0
        self.written = 0
        self.due_ns = 0
        self.window_bytes = 0
        self._row = 0
        self._position = 0
        self._last_ns = 0
        self._middle = b""

    def begin(self, script: GrpcScript, arrived_ns: int) -> None:
        """Log the request and wait for its first write."""
        golden, trace = self._connection.golden, _trace(self.fields)
        self.script = script
        self._middle = script.middle.of(self.number)
        self._position = int.from_bytes(trace[-2:], "big") or len(golden.log)
        self.due_ns = arrived_ns + script.first_delay_ns(self._position)
        self._row = golden.log.begin(trace, arrived_ns, self.due_ns, script.status)
        golden.counts.add(counts.RUNNING)
        self.key = golden.key()
        golden.schedule.add(self.key, self)

    def write_next(self, now_ns: int) -> int:
        """Write what is due; return when the next write is, or 0 when the answer has ended."""
        script = self.script
        assert script is not None
        self.written = number = self.written + 1
        if number == script.writes:
            self._end(script, now_ns)
            return 0
        log = self._connection.golden.log
        log.pace_ns(now_ns - self.due_ns)
        if number == 1:
            log.first_write_ns[self._row] = now_ns
            self._connection.send(self, script.first)
        else:
            log.gap_ns(now_ns - self._last_ns)
            self._connection.send_token(self, self._middle, script.middle)
        self._last_ns = now_ns
        wait_ns = script.gaps_ns[(self._position + number) & script.gaps_mask]
        self.due_ns += wait_ns + script.stalls_ns.get(number + 1, 0)
        return self.due_ns

    def broken(self) -> None:
        """Log what an unfinished answer had, and forget it."""
        if self.script is not None:
            golden = self._connection.golden
            tokens = self.written if self.script.stream else 0
            golden.schedule.forget(self.key)
            golden.log.tokens[self._row] = tokens
            if tokens:
                golden.log.last_write_ns[self._row] = self._last_ns
            golden.counts.add(counts.TOKENS, tokens)
            golden.counts.add(counts.BROKEN)
            golden.counts.add(counts.RUNNING, -1)
            self.due_ns = 0

    def _end(self, script: GrpcScript, now_ns: int) -> None:
        """Do the last write. All counts move before it: who has read it may read them."""
        golden, log = self._connection.golden, self._connection.golden.log
        log.tokens[self._row] = script.tokens
        last_is_a_token = script.tokens > 0 and not (script.breaks and script.writes > script.tokens)
        if last_is_a_token or script.refuses:
            log.pace_ns(now_ns - self.due_ns)
            log.last_write_ns[self._row] = now_ns
            if script.writes == 1:
                log.first_write_ns[self._row] = now_ns
            else:
                log.gap_ns(now_ns - self._last_ns)
        elif script.tokens:
            log.last_write_ns[self._row] = self._last_ns
        golden.counts.add(counts.TOKENS, script.tokens)
        golden.counts.add(_ending(script))
        golden.counts.add(counts.RUNNING, -1)
        self.due_ns = 0
        golden.schedule.forget(self.key)
        self._connection.finish(self, script.last)


class GoldenGrpcProtocol(asyncio.Protocol):
    """A connection with many streams.

    Frames are written to the socket at once, so that the logged instant is that of the write. Only what the
    socket does not take is left to the transport, and what the peer's window does not take waits.
    """

    def __init__(self, golden: GoldenGrpc) -> None:
        self.golden = golden
        self._transport: asyncio.Transport | None = None
        self._fd = -1
        self._unread = b""
        self._greeted = False
        self._decoder = Decoder()
        self._streams: dict[int, _Stream] = {}
        self._window_bytes = self._initial_window = DEFAULT_WINDOW_BYTES
        self._taken_bytes = 0
        self._held: list[tuple[_Stream, Frames]] = []
        self._behind = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what this end allows."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not derive from it
        self._fd = transport.get_extra_info("socket").fileno()
        self.golden.connections += 1
        allowed = {_MAX_CONCURRENT_STREAMS: self.golden.max_streams, _INITIAL_WINDOW: MAX_WINDOW_BYTES}
        self._write(settings_frame(allowed) + window_update(0, MAX_WINDOW_BYTES - DEFAULT_WINDOW_BYTES))

    def connection_lost(self, _exc: Exception | None) -> None:
        """Count what unfinished answers had."""
        for stream in list(self._streams.values()):
            self._drop(stream)
            stream.broken()
        self._fd, self._transport = -1, None

    def data_received(self, data: bytes) -> None:
        """Take bytes; begin an answer for each request that is complete with them."""
        now_ns = time.monotonic_ns()
        data = self._unread + data
        at = 0
        if not self._greeted:
            if len(data) < len(PREFACE):
                self._unread = data
                return
            self._greeted, at = True, len(PREFACE)
            if not data.startswith(PREFACE):
                self._close()
                return
        while len(data) - at >= FRAME_HEAD_BYTES:
            high, low, kind, flags, number = _head(data, at)
            end = at + FRAME_HEAD_BYTES + (high << 16 | low)
            if end > len(data):
                break
            self._take(kind, flags, number, data[at + FRAME_HEAD_BYTES : end], now_ns)
            at = end
        self._unread = data[at:]

    def send(self, stream: _Stream, frames: Frames) -> None:
        """Write a stream's frames, as far as the windows allow."""
        if self._held or not self._pass(stream, frames):
            self._held.append((stream, frames))

    def send_token(self, stream: _Stream, data: bytes, frames: Frames) -> None:
        """Write what ``send`` would, already rendered, and call nothing while nothing is in the way."""
        size = frames.data_bytes
        if self._held or self._behind or size > self._window_bytes or size > stream.window_bytes:
            self.send(stream, frames)
            return
        self._window_bytes -= size
        stream.window_bytes -= size
        try:
            sent = os.write(self._fd, data)
        except OSError:
            self._write(data)
            return
        if sent < len(data):
            self._leave(data[sent:])

    def finish(self, stream: _Stream, frames: Frames) -> None:
        """Write a stream's last frames."""
        self._drop(stream)
        self.send(stream, frames)

    def _take(self, kind: int, flags: int, number: int, payload: bytes, now_ns: int) -> None:
        if kind == DATA:
            self._take_data(flags, number, payload, now_ns)
        elif kind == HEADERS:
            self._take_headers(flags, number, payload, now_ns)
        elif kind == SETTINGS and not flags & ACK:
            self._take_settings(payload)
        elif kind == PING and not flags & ACK:
            self._write(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            self._take_window(number, int.from_bytes(payload, "big"))
        elif kind == RST_STREAM and number in self._streams:
            stream = self._streams[number]
            self._drop(stream)
            stream.broken()

    def _take_headers(self, flags: int, number: int, payload: bytes, now_ns: int) -> None:
        if flags & PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        if flags & PRIORITIZED:
            payload = payload[5:]
        fields = {bytes(name): bytes(value) for name, value in self._decoder.decode(payload, raw=True)}
        stream = self._streams[number] = _Stream(self, number.to_bytes(4, "big"), fields)
        stream.window_bytes = self._initial_window
        golden = self.golden
        golden.open_streams += 1
        golden.most_streams = max(golden.most_streams, len(self._streams))
        golden.most_open_streams = max(golden.most_open_streams, golden.open_streams)
        if flags & END_STREAM:
            self._answer(stream, now_ns)

    def _take_data(self, flags: int, number: int, payload: bytes, now_ns: int) -> None:
        self._taken_bytes += len(payload)
        if self._taken_bytes > MAX_WINDOW_BYTES >> 1:
            self._write(window_update(0, self._taken_bytes))
            self._taken_bytes = 0
        stream = self._streams.get(number)
        if stream is not None:
            stream.body += payload
            if flags & END_STREAM:
                self._answer(stream, now_ns)

    def _answer(self, stream: _Stream, now_ns: int) -> None:
        path = stream.fields.get(b":path", b"").decode("latin-1")
        if path == GENERATE:
            self._generate(stream, now_ns)
        elif path == GET_MODEL_INFO:
            self.finish(stream, unary(model_info()))
        elif path == _HEALTH_CHECK:
            self.finish(stream, unary(pb.HealthCheckResponse(healthy=True).SerializeToString()))
        else:
            self.finish(stream, failure("UNIMPLEMENTED"))

    def _generate(self, stream: _Stream, now_ns: int) -> None:
        try:
            ask = _ask(stream.body)
            script = self.golden.script_of(stream.fields.get(b"x-golden", b"").decode("latin-1"), ask)
        except (ValueError, DecodeError):
            self.golden.counts.add(counts.REFUSED)
            self.finish(stream, failure("INVALID_ARGUMENT"))
        else:
            stream.begin(script, now_ns)

    def _take_settings(self, payload: bytes) -> None:
        for key, value in _setting.iter_unpack(payload):
            if key == _INITIAL_WINDOW:
                for stream in self._streams.values():
                    stream.window_bytes += value - self._initial_window
                self._initial_window = value
        self._write(frame(SETTINGS, ACK, 0, b""))
        self._release()

    def _take_window(self, number: int, more_bytes: int) -> None:
        if number == 0:
            self._window_bytes += more_bytes
        for stream in {*self._streams.values(), *(stream for stream, _ in self._held)} if number else ():
            if int.from_bytes(stream.number, "big") == number:
                stream.window_bytes += more_bytes
        self._release()

    def _release(self) -> None:
        """Write what waited for the peer's windows."""
        held, self._held = self._held, []
        for stream, frames in held:
            self.send(stream, frames)

    def _pass(self, stream: _Stream, frames: Frames) -> bool:
        """Write the frames, if both windows have room for them."""
        if frames.data_bytes > min(self._window_bytes, stream.window_bytes):
            return False
        self._window_bytes -= frames.data_bytes
        stream.window_bytes -= frames.data_bytes
        self._write(frames.of(stream.number))
        return True

    def _write(self, data: bytes) -> None:
        if self._transport is None:
            return
        if self._behind:
            self._behind = self._transport.get_write_buffer_size() > 0
        if self._behind:
            self._transport.write(data)
            return
        try:
            sent = os.write(self._fd, data)
        except BlockingIOError:
            sent = 0
        except OSError:  # the peer is gone: the transport will tell
            return
        if sent < len(data):
            self._leave(data[sent:])

    def _leave(self, data: bytes) -> None:
        """Leave to the transport what the socket did not take."""
        if self._transport is not None:
            self._behind = True
            self._transport.write(data)

    def _drop(self, stream: _Stream) -> None:
        if self._streams.pop(int.from_bytes(stream.number, "big"), None) is not None:
            self.golden.open_streams -= 1
            if stream.key:
                self.golden.schedule.forget(stream.key)
                self.golden.free_keys.append(stream.key)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _ask(body: bytes) -> GrpcAsk:
    if len(body) < PREFIX_BYTES or body[0]:
        raise ValueError("not one plain message")
    request = pb.GenerateRequest.FromString(body[PREFIX_BYTES:])
    prompt_tokens = len(request.tokenized.input_ids) or PROMPT_TOKENS
    return GrpcAsk(request.stream, request.sampling_params.max_tokens or DEFAULT_TOKENS, prompt_tokens)


def _trace(fields: dict[bytes, bytes]) -> bytes:
    digits = fields.get(b"traceparent", b"")[3 : 3 + 2 * TRACE_BYTES]
    try:
        trace = bytes.fromhex(digits.decode("latin-1"))
    except ValueError:
        return _NO_TRACE
    return trace if len(trace) == TRACE_BYTES else _NO_TRACE


def _ending(script: GrpcScript) -> int:
    if script.refuses:
        return counts.REFUSED
    return counts.BROKEN if script.breaks else counts.FINISHED
