import itertools
import struct
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.wire import http2
from harness.wire.hpack_block import ConstantFields, Fields, literal
from harness.wire.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PREFACE,
    PRIORITIZED,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Http2Connection,
    Http2Error,
    frame,
    settings_frame,
)

INITIAL_WINDOW, MAX_CONCURRENT, MAX_FRAME = 4, 3, 5
STATUS = b"\x88"  # :status 200


@dataclass(eq=False)
class Sink:
    outcome: object | None = None
    fields: list[Fields] = field(default_factory=list)
    data: bytes = b""
    ended: int = 0
    reset: str = ""
    enough: int = 1 << 30
    chunks: int = 0

    def take_fields(self, fields: Fields, now_ns: int) -> None:
        self.fields.append(fields)

    def take_data(self, data: bytes, now_ns: int) -> None:
        self.data += data
        self.chunks += 1
        if len(self.data) >= self.enough:
            self.outcome = "enough"

    def take_end(self, now_ns: int) -> None:
        self.ended += 1

    def take_reset(self, error: str) -> None:
        self.reset = error


class Peer:
    """The client's connection, seen from its owner, and the frames that it sends."""

    def __init__(self, settings: dict[int, int] | None = None) -> None:
        self.ready = 0
        self.ended: list[Sink] = []
        self.refused: list[tuple[Sink, str]] = []
        self.client: Http2Connection[Sink] = Http2Connection(self, ConstantFields([(b":method", b"POST")]))
        assert self.client.outgoing().startswith(PREFACE)
        self.give(settings_frame(settings or {}))
        self.sent()

    def on_ready(self) -> None:
        self.ready += 1

    def on_ended(self, stream: Sink) -> None:
        self.ended.append(stream)

    def on_refused(self, stream: Sink, reason: str) -> None:
        self.refused.append((stream, reason))

    def give(self, data: bytes) -> None:
        self.client.receive(data, 1)

    def open(self, body: bytes = b"") -> tuple[int, Sink]:
        sink = Sink()
        return self.client.open(literal(b"x", b"y"), body, sink), sink

    def sent(self) -> list[tuple[int, int, int, bytes]]:
        data, frames = self.client.outgoing(), []
        while data:
            size = int.from_bytes(data[:3], "big")
            frames.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + size]))
            data = data[9 + size :]
        return frames


def body_of(frames: list[tuple[int, int, int, bytes]], stream_id: int) -> bytes:
    return b"".join(payload for kind, _, id_, payload in frames if kind == DATA and id_ == stream_id)


def test_requests_take_the_odd_numbers_in_order_and_end_with_their_body() -> None:
    peer = Peer()
    assert [peer.open(b"hello")[0] for _ in range(3)] == [1, 3, 5]
    kinds = [(kind, flags, stream_id) for kind, flags, stream_id, _ in peer.sent()]
    assert kinds[:2] == [(HEADERS, END_HEADERS, 1), (DATA, END_STREAM, 1)]
    assert len(kinds) == 6


ANSWER = (
    frame(HEADERS, END_HEADERS, 1, STATUS)
    + frame(DATA, 0, 1, b"one")
    + frame(DATA, PADDED, 1, b"\x02two\0\0")
    + frame(DATA, 0, 99, b"of a stream that is gone")
    + frame(http2.PING, 0, 0, b"12345678")
    + frame(HEADERS, END_HEADERS | PADDED | PRIORITIZED, 3, b"\x01" + b"\0" * 5 + STATUS + b"\0")
    + frame(HEADERS, 0, 1, literal(b"grpc-status", b"0")[:4])
    + frame(CONTINUATION, 0, 1, literal(b"grpc-status", b"0")[4:8])
    + frame(CONTINUATION, END_HEADERS, 1, literal(b"grpc-status", b"0")[8:])
    + frame(DATA, END_STREAM, 3, b"three")
)


@given(st.lists(st.integers(1, len(ANSWER) - 1), max_size=12))
def test_an_answer_is_the_same_wherever_its_bytes_are_cut(cuts: list[int]) -> None:
    peer = Peer()
    first, second = peer.open()[1], peer.open()[1]
    borders = [0, *sorted(cuts), len(ANSWER)]
    for start, end in itertools.pairwise(borders):
        peer.give(ANSWER[start:end])
    assert (first.data, second.data) == (b"onetwo", b"three")
    assert first.fields == [((b":status", b"200"),), ((b"grpc-status", b"0"),)]
    assert (first.ended, second.ended, peer.ended) == (0, 1, [second])


@settings(max_examples=30)
@given(st.binary(max_size=300))
def test_no_bytes_bring_anything_but_an_http_2_error(data: bytes) -> None:
    peer = Peer()
    peer.open()
    try:
        peer.give(data)
    except Http2Error:
        return


def test_a_body_waits_for_the_connection_s_and_its_stream_s_window() -> None:
    peer = Peer({INITIAL_WINDOW: 10, MAX_FRAME: 16_384})
    stream_id, _ = peer.open(b"0123456789abcdef")
    assert body_of(peer.sent(), stream_id) == b"0123456789"
    peer.give(frame(WINDOW_UPDATE, 0, stream_id, struct.pack(">I", 4)))
    assert body_of(peer.sent(), stream_id) == b"abcd"
    peer.give(settings_frame({INITIAL_WINDOW: 12}))
    frames = [f for f in peer.sent() if f[0] == DATA]
    assert frames == [(DATA, END_STREAM, stream_id, b"ef")]


def test_the_connection_s_window_is_shared() -> None:
    peer = Peer({INITIAL_WINDOW: 1 << 20})
    peer.open(b"a" * 65_000)
    second, _ = peer.open(b"b" * 1000)
    assert len(body_of(peer.sent(), second)) == 65_535 - 65_000
    peer.give(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1000)))
    assert len(body_of(peer.sent(), second)) == 1000 - 535


def test_frames_are_no_larger_than_the_peer_takes() -> None:
    peer = Peer({INITIAL_WINDOW: 1 << 20})
    stream_id, _ = peer.open(b"a" * 40_000)
    sizes = [len(payload) for kind, _, _, payload in peer.sent() if kind == DATA]
    assert sizes == [16_384, 16_384, 7_232]
    assert stream_id == 1


def test_a_receiver_that_has_enough_is_reset_and_ended_once() -> None:
    peer = Peer()
    stream_id, sink = peer.open()
    sink.enough = 3
    peer.give(frame(DATA, 0, stream_id, b"abc") + frame(DATA, END_STREAM, stream_id, b"def"))
    assert (sink.data, peer.ended) == (b"abc", [sink])
    assert [(kind, id_) for kind, _, id_, _ in peer.sent() if kind == RST_STREAM] == [(RST_STREAM, stream_id)]


def test_a_goaway_refuses_the_streams_beyond_it_and_closes_the_door() -> None:
    peer = Peer()
    (_, kept), (_, gone) = peer.open(), peer.open()
    peer.give(frame(GOAWAY, 0, 0, struct.pack(">II", 1, 0)))
    assert peer.refused == [(gone, "GOAWAY NO_ERROR")]
    assert peer.client.draining
    assert peer.client.streams == 1
    assert kept.reset == ""


def test_a_reset_ends_its_stream_and_a_refusal_is_told_apart() -> None:
    peer = Peer()
    (first, broken), (second, refused) = peer.open(), peer.open()
    peer.give(frame(RST_STREAM, 0, first, struct.pack(">I", 2)))
    peer.give(frame(RST_STREAM, 0, second, struct.pack(">I", 7)))
    assert (broken.reset, peer.ended) == ("INTERNAL_ERROR", [broken])
    assert peer.refused == [(refused, "REFUSED_STREAM")]


def test_reads_with_chunks_of_several_streams_are_counted_apart() -> None:
    peer = Peer()
    peer.open()
    peer.open()
    first, second = (frame(DATA, 0, stream_id, b"x") for stream_id in (1, 3))
    for data in (first, first + second, frame(http2.PING, 0, 0, b"12345678")):
        peer.give(data)
    assert (peer.client.chunk_reads, peer.client.shared_chunk_reads) == (2, 1)


def test_settings_are_acknowledged_and_the_limit_of_streams_is_told() -> None:
    peer = Peer({MAX_CONCURRENT: 7})
    assert (peer.ready, peer.client.peer_limit) == (1, 7)
    peer.give(settings_frame({MAX_CONCURRENT: 9}))
    assert peer.sent() == [(SETTINGS, 1, 0, b"")]
    assert (peer.ready, peer.client.peer_limit) == (1, 9)


def test_the_connection_s_window_is_opened_again_before_it_is_used_up() -> None:
    peer = Peer()
    stream_id, _ = peer.open()
    peer.client._taken_bytes = (1 << 30) - 1
    peer.sent()
    peer.give(frame(DATA, 0, stream_id, b"ab"))
    assert peer.sent() == [(WINDOW_UPDATE, 0, 0, struct.pack(">I", (1 << 30) + 1))]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff"), "hpack"),
        (frame(HEADERS, 0, 1, STATUS) + frame(DATA, 0, 1, b"x"), "interrupted"),
        (frame(CONTINUATION, 0, 1, STATUS), "CONTINUATION of nothing"),
        (frame(PUSH_PROMISE, 0, 1, b"\0\0\0\2"), "pushed"),
        (frame(RST_STREAM, 0, 1, b"\0"), "too short"),
        (frame(DATA, PADDED, 1, b"\x09ab"), "padding"),
        (b"\xff\xff\xff\0\0\0\0\0\1", "too long"),
    ],
)
def test_a_broken_frame_is_an_error_that_says_what_is_wrong(data: bytes, reason: str) -> None:
    peer = Peer()
    peer.open()
    with pytest.raises(Http2Error, match=reason):
        peer.give(data)


def test_header_blocks_that_use_the_table_are_decoded_each_in_its_own_state() -> None:
    from hpack import Encoder

    encoder, peer = Encoder(), Peer()
    for number in range(4):
        stream_id, sink = peer.open()
        names = [(b":status", b"200"), (b"x-request", b"%d" % (number // 2)), (b"server", b"s")]
        peer.give(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, encoder.encode(names)))
        assert sink.fields == [tuple(names)]
