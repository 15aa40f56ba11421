"""What an exchange makes of an answer: of the reference, and in tests/harness/core of the core."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.record import Outcome, RequestRecord, TokenSource
from tests.harness.wire.streams import (
    DONE,
    FRAMINGS,
    ReadAnswer,
    Reader,
    chunk_event,
    chunked,
    cuts,
    decode,
    pieces_of,
    stream_body,
    until_close,
    with_length,
)


def record_of(exchange: ReadAnswer) -> RequestRecord:
    record = RequestRecord(0, 0, 0, "t", False, 0, exchange.outcome or Outcome.CANCELLED, 0)
    exchange.fill(record, 0)
    return record


def one_by_one(*events: bytes) -> list[bytes]:
    """An answer whose events arrive in reads of their own, each in a chunk of its own."""
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head, *(b"%x\r\n%b\r\n" % (len(e), e) for e in events), b"0\r\n\r\n"]


def test_instants_are_those_of_the_reads_that_brought_the_tokens(read: Reader) -> None:
    pieces = one_by_one(chunk_event(""), *map(chunk_event, ("a", "b", "c")), chunk_event(None, "stop"), DONE)
    exchange = read(pieces)
    assert exchange.outcome is Outcome.OK
    assert exchange.first_byte_ns == 1_000_000
    assert exchange.first_token_ns == 3_000_000  # the event before it has no text
    assert exchange.last_token_ns == 5_000_000
    assert exchange.chunks == 3
    assert exchange.gaps_ns == [1_000_000, 1_000_000]
    assert exchange.max_gap_ns == 1_000_000


def test_usage_wins_over_counted_chunks_and_carries_the_cached_tokens(read: Reader) -> None:
    record = record_of(read([chunked(stream_body(["a", "b"]))]))
    assert (record.output_tokens, record.token_source) == (4, TokenSource.USAGE)
    assert (record.input_tokens, record.cached_tokens, record.finish_reason) == (8, 4, "stop")


def test_without_usage_the_chunks_are_counted_and_the_record_says_so(read: Reader) -> None:
    record = record_of(read(one_by_one(chunk_event("a"), chunk_event("b"), DONE)))
    assert (record.output_tokens, record.token_source) == (2, TokenSource.CHUNKS)


texts = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=8)


@given(texts, st.sampled_from(FRAMINGS), st.integers(1, 200), cuts)
def test_any_split_of_any_framing_gives_the_same_answer(
    read: Reader, words: list[str], framing: Any, size: int, where: list[int]
) -> None:
    body = stream_body(words)
    data = chunked(body, size) if framing is chunked else framing(body)
    exchange = read(pieces_of(data, where))
    record = record_of(exchange)
    assert record.outcome is Outcome.OK
    assert record.chunks == len(words)
    assert record.output_tokens == 2 * len(words)
    assert record.bytes_received == len(data)
    assert sum(exchange.gaps_ns or []) == (exchange.last_token_ns or 0) - (exchange.first_token_ns or 0)


@given(st.lists(st.text(max_size=6), min_size=1, max_size=12), st.booleans())
def test_the_shortcut_for_similar_chunks_counts_as_full_decoding_does(
    read: Reader, words: list[str], ascii_only: bool
) -> None:
    events = [
        b"data: "
        + json.dumps({"model": "m", "choices": [{"delta": {"content": w}}]}, ensure_ascii=ascii_only).encode(
            "utf-8", "surrogatepass"
        )
        + b"\n\n"
        for w in words
    ]
    pieces = one_by_one(*events, DONE)
    quick, full = read(pieces), decode(pieces)
    assert (quick.outcome, quick.chunks) == (full.outcome, full.chunks)
    if full.chunks:
        assert quick.chunks == sum(1 for word in words if word)


@pytest.mark.parametrize(
    "event",
    [
        chunk_event("b", "length"),
        chunk_event('say "hi"'),
        chunk_event("line\nend"),
        chunk_event(""),
        chunk_event(None, usage={"completion_tokens": 9}),
    ],
)
def test_an_event_unlike_the_learned_one_is_decoded(read: Reader, event: bytes) -> None:
    pieces = one_by_one(chunk_event("a"), chunk_event("b"), event, chunk_event("c"), DONE)
    assert record_of(read(pieces)) == record_of(decode(pieces))


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "content"])
def test_reasoning_is_output_too(read: Reader, key: str) -> None:
    event = b'data: {"choices":[{"delta":{"%b":"hm"}}]}\n\n' % key.encode()
    assert read(one_by_one(event, event, DONE)).chunks == 2


def test_completions_chunks_carry_their_text_in_another_place(read: Reader) -> None:
    event = b'data: {"choices":[{"index":0,"text":" a","finish_reason":null}]}\n\n'
    assert read(one_by_one(event, event, event, DONE)).chunks == 3


def test_crlf_and_comments_are_no_obstacle(read: Reader) -> None:
    body = b": ping\r\n\r\n" + stream_body(["a", "b"]).replace(b"\n", b"\r\n")
    assert read([chunked(body)]).chunks == 2


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (chunked(stream_body(["a"], done=False)), Outcome.OK),  # the finish reason says that it is whole
        (chunked(stream_body(["a"], finish=None)), Outcome.OK),  # [DONE] says so
        (chunked(chunk_event("a") + b"data: [DONE]"), Outcome.OK),  # only the blank line is missing
        (chunked(stream_body(["a"], done=False, finish=None)), Outcome.TRUNCATED),
        (until_close(stream_body(["a"], done=False, finish=None)), Outcome.TRUNCATED),
        (chunked(stream_body(["a"]))[:-5], Outcome.DISCONNECTED),
        (with_length(stream_body(["a"]))[:-1], Outcome.DISCONNECTED),
        (b"", Outcome.DISCONNECTED),
        (b"HTTP/1.1 200 OK\r\ncontent-", Outcome.DISCONNECTED),
        (chunked(stream_body([])), Outcome.EMPTY),
        (with_length(b""), Outcome.EMPTY),
        (with_length(b"<html>hello</html>", kind="text/html"), Outcome.MALFORMED),
        (with_length(b'{"choices": []}', kind="application/json"), Outcome.MALFORMED),
        (chunked(b"data: {broken\n\n"), Outcome.MALFORMED),
        (chunked(b"data: [1, 2]\n\n"), Outcome.MALFORMED),
        (chunked(b'data: {"choices":[{"delta":{"content":5}}]}\n\n'), Outcome.MALFORMED),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Outcome.MALFORMED),
        (with_length(b"{}", "429 Too Many Requests"), Outcome.REJECTED),
        (with_length(b"busy", "503 Service Unavailable"), Outcome.REJECTED),
        (with_length(b"oops", "500 Internal Server Error"), Outcome.HTTP_ERROR),
        (with_length(b"", "302 Found"), Outcome.HTTP_ERROR),
        (with_length(b"{}", "404 Not Found"), Outcome.HTTP_ERROR),
    ],
)
def test_each_ending_has_its_outcome(read: Reader, data: bytes, outcome: Outcome) -> None:
    assert read([data]).outcome is outcome
    assert read([data[i : i + 1] for i in range(len(data))]).outcome is outcome


@pytest.mark.parametrize("size", [7, 4000])
def test_an_error_object_inside_a_200_stream_is_an_error(read: Reader, size: int) -> None:
    error = b'data: {"error":{"message":"out of memory","type":"InternalServerError","code":500}}\n\n'
    exchange = read([chunked(chunk_event("a") + error + DONE, size)])
    assert (exchange.outcome, exchange.error_type) == (Outcome.HTTP_ERROR, "stream: InternalServerError")
    assert exchange.reusable  # the framing was kept, so the connection may go on


def test_the_error_type_of_an_error_answer_is_kept(read: Reader) -> None:
    body = b'{"error": {"message": "no", "type": "invalid_request_error"}}'
    assert read([with_length(body, "400 Bad Request")]).error_type == "invalid_request_error"


def test_a_whole_chat_answer_is_one_chunk_with_its_usage(read: Reader) -> None:
    body = json.dumps(
        {
            "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 7},
        }
    ).encode()
    record = record_of(read([with_length(body, kind="application/json")], stream=False))
    assert record.outcome is Outcome.OK
    assert (record.chunks, record.output_tokens, record.finish_reason) == (1, 7, "length")
    assert record.first_token_ns == record.last_token_ns == 1_000_000


def test_a_whole_completions_answer_is_read_too(read: Reader) -> None:
    body = b'{"choices": [{"text": "hi", "finish_reason": "stop"}]}'
    assert read([with_length(body)], stream=False).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"", Outcome.EMPTY),
        (b"not json", Outcome.MALFORMED),
        (b'{"error": "bad"}', Outcome.HTTP_ERROR),
        (b'{"choices": [{"message": {"content": ""}}]}', Outcome.EMPTY),
    ],
)
def test_a_whole_answer_may_be_wrong_in_its_own_ways(read: Reader, body: bytes, outcome: Outcome) -> None:
    assert read([with_length(body)], stream=False).outcome is outcome


def test_an_interim_answer_is_not_the_answer(read: Reader) -> None:
    exchange = read([b"HTTP/1.1 100 Continue\r\n\r\n" + chunked(stream_body(["a"]))])
    assert (exchange.outcome, exchange.status) == (Outcome.OK, 200)


def test_bytes_after_the_answer_make_the_connection_unusable(read: Reader) -> None:
    assert read([chunked(stream_body(["a"]))]).reusable
    surplus = read([chunked(stream_body(["a"])) + b"HTTP/1.1 200 OK\r\n\r\n"])
    assert (surplus.outcome, surplus.reusable) == (Outcome.OK, False)


def test_connection_close_is_honoured(read: Reader) -> None:
    data = chunked(stream_body(["a"])).replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
    assert not read([data]).reusable


def test_an_endless_event_that_only_the_end_completes_is_malformed(read: Reader) -> None:
    half = b"data: " + b"x" * 600_000
    record = record_of(read([with_length(half + b"\n" + half + b"\n")]))
    assert record.outcome is Outcome.MALFORMED
    assert (record.error_type or "").startswith("sse: ")


def test_json_that_nests_too_deeply_is_malformed(read: Reader) -> None:
    deep = b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert read([with_length(deep, kind="application/json")], stream=False).outcome is Outcome.MALFORMED
