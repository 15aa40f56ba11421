from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire.sse import MAX_EVENT_BYTES, Event, SseError, SseParser
from tests.harness.wire.streams import cuts, pieces_of


def parse(pieces: list[bytes]) -> list[Event]:
    parser = SseParser()
    return [event for piece in pieces for event in parser.feed(piece)]


def test_the_common_framing_gives_one_event_for_each_data_line() -> None:
    assert parse([b"data: a\n\ndata: b\n\n"]) == [Event(b"a"), Event(b"b")]


def test_the_fast_path_and_the_slow_path_agree_on_a_stream_that_both_can_read() -> None:
    stream = b'data: {"x":1}\n\ndata:  two spaces\n\ndata: \n\n'
    parser = SseParser()
    parser.feed(b": wake up\n\n")
    assert parser.idle
    fast = parser.feed(stream)
    assert fast == parse([stream[i : i + 1] for i in range(len(stream))])
    assert fast == [Event(b'{"x":1}'), Event(b" two spaces"), Event(b"")]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [Event(b"a"), Event(b"b")]),
        (b"data: a\r\rdata: b\r\r", [Event(b"a"), Event(b"b")]),
        (b": ping\n\ndata: a\n\n", [Event(b"a")]),
        (b"data: a\ndata: b\n\n", [Event(b"a\nb")]),
        (b"data:a\n\n", [Event(b"a")]),
        (b"data\n\n", [Event(b"")]),
        (b"event: error\nid: 7\nretry: 5\ndata: a\n\n", [Event(b"a", "error")]),
        (b"event: lost\n\ndata: a\n\n", [Event(b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Event(b"a")]),
        (b"data: unfinished\n", []),
        (b"<html>no stream</html>\n\n", []),
    ],
)
def test_every_framing_of_the_standard_is_read(stream: bytes, events: list[Event]) -> None:
    assert parse([stream]) == events
    assert parse([stream[i : i + 1] for i in range(len(stream))]) == events


lines = st.sampled_from(
    ["data: a", "data: naïve 漢字 🌊", "data:", "data: {}", ": comment", "event: error", "id: 1", "x", "", ""]
)
ends = st.sampled_from(["\n", "\r\n", "\r"])


@given(st.lists(st.tuples(lines, ends), max_size=20), cuts)
def test_any_split_of_the_bytes_gives_the_same_events(parts: list[tuple[str, str]], where: list[int]) -> None:
    stream = "".join(line + end for line, end in parts).encode()
    assert parse(pieces_of(stream, where)) == parse([stream])


def test_finish_gives_the_event_that_lacks_only_its_blank_line() -> None:
    parser = SseParser()
    assert parser.feed(b"data: [DONE]") == []
    assert parser.finish() == [Event(b"[DONE]")]


def test_an_endless_line_is_refused_instead_of_filling_the_memory() -> None:
    pieces = [b"x" * 65536] * (MAX_EVENT_BYTES // 65536 + 1)
    with pytest.raises(SseError):
        parse(pieces)
