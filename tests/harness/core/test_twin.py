"""The core against the reference: the same reads, the same record."""

from __future__ import annotations

import itertools
import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measure.record import Outcome
from harness.wire.exchange import MAX_ANSWER_BYTES, MAX_ERROR_BODY_BYTES
from harness.wire.sse import MAX_EVENT_BYTES
from tests.harness.core.random_answers import RandomAnswer, differences, random_answer
from tests.harness.core.replay import replay
from tests.harness.wire.streams import DONE, chunk_event, chunked, until_close, with_length
from tests.harness.wire.test_exchange import one_by_one

_READ_BYTES = 1 << 16


def in_reads(data: bytes, size: int = _READ_BYTES) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def differences_of(pieces: list[bytes], stream: bool = True) -> object:
    return differences(RandomAnswer(pieces, stream))


def word_event(finish_reason: str) -> bytes:
    return b'data: {"choices":[{"text":"a","finish_reason":%b}]}\n\n' % json.dumps(finish_reason).encode()


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False))
def test_every_answer_gives_the_record_that_the_reference_gives(rng: Random) -> None:
    assert not differences(random_answer(rng))


@pytest.mark.parametrize("block", range(4))
def test_thousands_of_answers_give_the_records_that_the_reference_gives(block: int) -> None:
    for case in range(500):
        answer = random_answer(Random(f"{block}/{case}"))
        assert not differences(answer), answer


@given(st.binary(max_size=60), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]))
def test_any_bytes_at_all_give_the_reference_s_record(data: bytes, head: bytes) -> None:
    assert not differences_of([head + data])


@given(st.binary(max_size=12), st.booleans())
def test_any_bytes_in_a_text_give_the_reference_s_record(text: bytes, learned: bool) -> None:
    texts = [b"a", text, b"b"] if learned else [text]
    body = b"".join(b'data: {"choices":[{"text":"%b"}]}\n\n' % t for t in texts)
    assert not differences_of([until_close(body + DONE)])


@pytest.mark.parametrize("text", [b"a%cb", b"1234%c678", b"12345678%c", b"%c"])
def test_every_byte_in_an_event_like_the_one_before_is_taken_as_the_reference_takes_it(text: bytes) -> None:
    for byte in range(256):
        pieces = one_by_one(
            *(b'data: {"choices":[{"text":"%b"}]}\n\n' % t for t in (b"a", text % byte, b"b"))
        )
        assert not differences_of(pieces), byte
        assert not differences_of([*pieces[:2], b"".join(pieces[2:])]), byte


@pytest.mark.parametrize(
    "character",
    [
        *(b"\x7f", b"\xc2\x80", b"\xdf\xbf", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xef\xbf\xbf"),
        *(
            b"\xf0\x90\x80\x80",
            b"\xf4\x8f\xbf\xbf",
            b"\xc1\xbf",
            b"\xe0\x9f\xbf",
            b"\xed\xa0\x80",
            b"\xf5\x80\x80\x80",
        ),
        *(
            b"\xf0\x8f\xbf\xbf",
            b"\xf4\x90\x80\x80",
            b"\x80",
            b"\xc2",
            b"\xe1\x80",
            b"\xf1\x80\x80",
            b"\xe1\x80\xc0",
        ),
    ],
)
@pytest.mark.parametrize("before", [b"", b"1234567", b"12345678"])
def test_utf8_is_checked_at_its_borders_as_python_does(character: bytes, before: bytes) -> None:
    body = b'data: {"choices":[{"text":"%b%b"}]}\n\n' % (before, character)
    assert not differences_of([until_close(body + DONE)])


@pytest.mark.parametrize(
    "size",
    [
        b"%x",
        b"%X",
        b"0%x",
        b"00000000%x",
        b"%x;a=b",
        b"%x ",
        b" %x",
        b"g%x",
        b"%xg",
        b"fffffff%x",
        b"ffffffffffffffff%x",
    ],
)
def test_a_size_line_of_any_form_is_read_as_the_reference_reads_it(size: bytes) -> None:
    event = chunk_event(" tide")
    pieces = [
        chunked(b"")[:-5],
        b"%x\r\n%b\r\n" % (len(event), event),
        size % len(event) + b"\r\n" + event + b"\r\n",
    ]
    assert not differences_of([*pieces, pieces[1], b"0\r\n\r\n"])
    assert not differences_of([*pieces[:2], pieces[2] + pieces[1] + b"0\r\n\r\n"])


@pytest.mark.parametrize("end", [b"\n\r", b"xx", b"\n\n", b"\rx", b"x\n", b"", b"\n", b"\r"])
@pytest.mark.parametrize("more", [b"", b"0\r\n\r\n", b"\r\n0\r\n\r\n"])
def test_a_chunk_without_its_line_end_is_no_chunk(end: bytes, more: bytes) -> None:
    event = chunk_event(" tide")
    chunk = b"%x\r\n%b" % (len(event), event)
    pieces = [chunked(b"")[:-5], chunk + b"\r\n", chunk + end + more]
    assert not differences_of(pieces)
    assert not differences_of([*pieces[:2], chunk + end, more])
    assert not differences_of([*pieces[:2], chunk.replace(b"\r\n", end, 1) + b"\r\n", more])


@pytest.mark.parametrize("at", range(0, 220))
def test_a_whole_chunk_is_recognized_only_where_one_may_begin(at: int) -> None:
    """A chunk's data may hold what looks like a chunk."""
    event = chunk_event(" tide")
    chunk = b"%x\r\n%b\r\n" % (len(event), event)
    decoy = b": " + b"x" * at + b"\n"
    pieces = [
        chunked(b"")[:-5],
        chunk,
        b"%x\r\n%b" % (len(decoy) + len(chunk), decoy),
        chunk,
        b"\r\n",
        chunk,
        b"0\r\n\r\n",
    ]
    assert not differences_of(pieces)
    assert not differences_of([*pieces[:2], chunk[:at], chunk[at:], b"0\r\n\r\n"])


def test_a_read_that_begins_within_a_size_line_is_no_chunk() -> None:
    event = chunk_event(" tide")
    chunk = b"%x\r\n%b\r\n" % (len(event), event)
    filler = b": ".ljust(252, b"x") + b"\n\n"
    longer = b"1" + chunk + filler + b"\r\n"  # 0x100 more than the chunk: the event, a CRLF and the filler
    pieces = [chunked(b"")[:-5], chunk, chunk + longer[:1], longer[1:], chunk, b"0\r\n\r\n"]
    assert replay(pieces).chunks == 4
    assert not differences_of(pieces)


def test_a_whole_event_that_comes_within_another_is_no_event() -> None:
    events = [chunk_event("a"), chunk_event("b")[:20], chunk_event("c"), DONE]
    assert replay(one_by_one(*events)).outcome is Outcome.MALFORMED
    assert not differences_of(one_by_one(*events))


def test_events_after_the_done_event_do_not_count() -> None:
    events = [chunk_event("a"), DONE, chunk_event("b"), chunk_event("c")]
    assert replay(one_by_one(*events)).chunks == 1
    assert not differences_of(one_by_one(*events))


@pytest.mark.parametrize("line", [b"Content-Length: 0", b"Transfer-Encoding: chunked", b"X: 0"])
def test_an_interim_answer_s_headers_do_not_frame_the_answer(line: bytes) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\n" + line + b"\r\n\r\n"
    assert not differences_of([interim + until_close(chunk_event("a") + DONE)])


@pytest.mark.parametrize("ends", [*map("".join, itertools.product("\r\n", repeat=4))])
def test_line_ends_of_any_kind_are_read_as_the_reference_reads_them(ends: str) -> None:
    data = until_close(
        chunk_event("a").rstrip() + ends.encode() + chunk_event("b").rstrip() + ends[::-1].encode()
    )
    for cut in range(len(data) - 8, len(data) + 1):
        assert not differences_of([data[:cut], data[cut:]])
    assert not differences_of([data[i : i + 1] for i in range(len(data))])


def test_a_chunk_after_the_answer_s_end_is_surplus() -> None:
    event = chunk_event("a")
    chunk = b"%x\r\n%b\r\n" % (len(event), event)
    answer = replay([chunked(b"")[:-5], chunk + b"0\r\n\r\n" + chunk])
    assert (answer.chunks, answer.reusable) == (1, False)
    assert not differences_of([chunked(b"")[:-5], chunk, chunk + b"0\r\n\r\n" + chunk])


@pytest.mark.parametrize(
    "form",
    [
        *(b"%b", b"data: %b\n", b"\xef\xbb\xbf%b", b"data: \n%b", b"data: x\n%b\n\n", b"data: %b\n:"),
        *(b"\r\n%b\r", b"data: x\ndata: y\ndata: %b\n"),
    ],
)
def test_the_longest_event_is_the_reference_s(form: bytes) -> None:
    for length in range(MAX_EVENT_BYTES - 20, MAX_EVENT_BYTES + 3):
        pieces = [until_close(b""), *in_reads(form % (b"x" * length), 1 << 19), b"yyyyyyyyy"]
        assert not differences_of(pieces), length


def test_an_event_of_empty_lines_does_not_fill_the_memory() -> None:
    pieces = [until_close(b""), *in_reads(b"data\n" * (MAX_EVENT_BYTES + _READ_BYTES))]
    answer = replay(pieces)
    assert answer.outcome is Outcome.MALFORMED
    assert (answer.error_type or "").startswith("sse: ")


@pytest.mark.parametrize("beyond", [0, 1])
@pytest.mark.parametrize("reads", [1, 5])
def test_of_an_error_body_as_much_is_kept_as_the_reference_keeps(beyond: int, reads: int) -> None:
    body = b'{"error":{"type":"x"}}'.ljust(MAX_ERROR_BODY_BYTES + beyond)
    data = with_length(body, "400 Bad Request")
    assert not differences_of(in_reads(data, -(-len(data) // reads)))


@pytest.mark.parametrize("beyond", [0, 1])
def test_the_longest_whole_answer_is_the_reference_s(beyond: int) -> None:
    body = b'{"choices":[{"text":"hi"}]}'.ljust(MAX_ANSWER_BYTES + beyond)
    assert not differences_of(in_reads(with_length(body), 1 << 24), stream=False)


@pytest.mark.parametrize(
    "value",
    [
        "0",
        "-0",
        "-5",
        "2147483647",
        "2147483648",
        "99999999999999999999",
        "1.0",
        "1e2",
        "1E2",
        "true",
        '"1"',
        "null",
    ],
)
@pytest.mark.parametrize("field", ["prompt_tokens", "completion_tokens", "cached_tokens"])
def test_a_count_of_tokens_is_an_integer_or_the_answer_is_malformed(field: str, value: str) -> None:
    counts = f'"{field}":{value}'
    usage = f'{{"prompt_tokens_details":{{{counts}}}}}' if field == "cached_tokens" else f"{{{counts}}}"
    body = f'data: {{"choices":[{{"text":"a"}}],"usage":{usage}}}\n\n'.encode()
    assert not differences_of([until_close(body + DONE)])


def test_a_later_usage_replaces_an_earlier_one_whole() -> None:
    usages = (b'{"prompt_tokens":1,"completion_tokens":2}', b'{"completion_tokens":3}')
    body = b"".join(b'data: {"usage":%b}\n\n' % usage for usage in usages)
    answer = replay([until_close(body + DONE)])
    assert (answer.prompt_tokens, answer.completion_tokens) == (None, 3)
    assert not differences_of([until_close(body + DONE)])


def test_words_are_cut_to_80_characters_and_hold_no_nul() -> None:
    for given_reason, kept in (("漢" * 81, "漢" * 80), ("a\0b", "a\ufffdb"), ("🌊" * 80, "🌊" * 80)):
        assert replay([until_close(word_event(given_reason) + DONE)]).finish_reason == kept


def test_a_server_that_invents_words_without_end_gets_one_word_for_the_rest() -> None:
    body = b"".join(word_event(f"reason {i}") for i in range(5000))
    assert replay(in_reads(until_close(body + DONE))).finish_reason == "(other)"
    assert replay(in_reads(until_close(body + word_event("reason 7") + DONE))).finish_reason == "reason 7"


@pytest.mark.parametrize("depth", [10, 30_000])
def test_deep_nesting_does_no_harm(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    body = b'data: {"x":%b,"choices":[{"text":"a"}]}\n\n' % deep
    assert replay(in_reads(until_close(body + DONE))).outcome is Outcome.OK
    failed = replay(in_reads(with_length(b'{"error":%b}' % deep, "500 Oops")))
    assert (failed.outcome, (failed.error_type or "")[:10]) == (Outcome.HTTP_ERROR, "[" * 10)
