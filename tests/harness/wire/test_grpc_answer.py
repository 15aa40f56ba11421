import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smg_grpc_proto import vllm_engine_pb2 as pb

from harness.measure.record import Outcome, RequestRecord, TokenSource
from harness.wire.grpc import prefixed
from harness.wire.grpc_answer import GrpcAnswer

HEAD = ((b":status", b"200"), (b"content-type", b"application/grpc+proto"))
OK = ((b"grpc-status", b"0"),)


def chunk(*ids: int, prompt: int = 128, **more: Any) -> bytes:
    piece = pb.GenerateStreamChunk(
        token_ids=ids, prompt_tokens=prompt, **{"completion_tokens": len(ids), **more}
    )
    return prefixed(pb.GenerateResponse(chunk=piece).SerializeToString())


def complete(*ids: int, reason: str = "stop", counted: int = 1) -> bytes:
    last = pb.GenerateComplete(
        output_ids=ids, finish_reason=reason, prompt_tokens=128, completion_tokens=counted
    )
    return prefixed(pb.GenerateResponse(complete=last).SerializeToString())


def answered(*data: bytes, stream: bool = True, trailers: Any = OK) -> tuple[GrpcAnswer, list[int]]:
    """Give one piece of data a millisecond."""
    gaps: list[int] = []
    answer = GrpcAnswer(stream, gaps.append, keep_gaps=True)
    answer.take_fields(HEAD, 1_000_000)
    for number, piece in enumerate(data):
        answer.take_data(piece, (number + 2) * 1_000_000)
    if answer.outcome is None and trailers is not None:
        answer.take_fields(trailers, 90_000_000)
        answer.take_end(90_000_000)
    return answer, gaps


def record_of(answer: GrpcAnswer) -> RequestRecord:
    record = RequestRecord(0, 0, 0, "t", False, 0, answer.outcome or Outcome.CANCELLED, 0)
    answer.fill(record, 0)
    return record


def test_a_stream_is_its_chunks_and_the_gaps_between_them() -> None:
    answer, gaps = answered(chunk(1), chunk(70_000), chunk(3, 4), complete(4))
    record = record_of(answer)
    assert (record.outcome, record.chunks, record.output_tokens) == (Outcome.OK, 3, 4)
    assert (record.first_byte_ns, record.first_token_ns, record.last_token_ns) == (
        1_000_000,
        2_000_000,
        4_000_000,
    )
    assert gaps == record.gaps_ns == [1_000_000, 1_000_000]
    assert (record.input_tokens, record.finish_reason, record.token_source) == (
        128,
        "stop",
        TokenSource.USAGE,
    )


def test_a_server_that_counts_the_whole_answer_in_its_last_message_is_believed() -> None:
    answer, _ = answered(chunk(1), complete(1, 2, 3, counted=3))
    assert record_of(answer).output_tokens == 3


@given(
    st.lists(
        st.lists(st.integers(0, 2**32 - 1), max_size=30),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([0, 5, 128, 100_000]),
    st.booleans(),
)
def test_known_messages_are_counted_as_a_full_decoding_counts_them(
    chunks: list[list[int]], prompt: int, cumulative: bool
) -> None:
    counts = {"completion_tokens": 7} if cumulative else {}
    pieces = [chunk(*ids, prompt=prompt, **counts) for ids in chunks]
    answer, gaps = answered(*pieces, complete(9))
    filled = [ids for ids in chunks if ids] or [[9]]
    assert (answer.chunks, answer.tokens) == (len(filled), sum(map(len, filled)))
    assert len(gaps) == len(filled) - 1


@given(st.lists(st.integers(1, 200), max_size=10))
def test_messages_are_the_same_wherever_frames_cut_them(cuts: list[int]) -> None:
    whole = chunk(1) + chunk(2) + chunk(300_000, 4) + complete(4)
    borders = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    answer, _ = answered(*(whole[a:b] for a, b in itertools.pairwise(borders)))
    assert (answer.outcome, answer.chunks, answer.tokens) == (Outcome.OK, 3, 4)
    assert answer.bytes_received == len(whole)


def test_tokens_with_probabilities_are_counted_too() -> None:
    logprobs = pb.OutputLogProbs(token_logprobs=[-0.5], token_ids=[5])
    answer, _ = answered(*[chunk(5, output_logprobs=logprobs)] * 3, complete(5))
    assert (answer.chunks, answer.tokens) == (3, 3)


@pytest.mark.parametrize(
    ("data", "trailers", "outcome", "error"),
    [
        ([chunk(1)], OK, Outcome.TRUNCATED, "no GenerateComplete"),
        ([], OK, Outcome.EMPTY, None),
        ([complete()], OK, Outcome.EMPTY, None),
        ([chunk(1), complete(1, reason="error")], OK, Outcome.HTTP_ERROR, "finish: error"),
        ([chunk(1)], ((b"grpc-status", b"13"),), Outcome.HTTP_ERROR, "grpc: INTERNAL"),
        ([], ((b"grpc-status", b"8"),), Outcome.REJECTED, "grpc: RESOURCE_EXHAUSTED"),
        ([], ((b"grpc-status", b"77"),), Outcome.HTTP_ERROR, "grpc: STATUS_77"),
        ([], ((b"grpc-status", b"x"),), Outcome.MALFORMED, "grpc: no status"),
        ([], (), Outcome.MALFORMED, "grpc: no status"),
        ([b"\1\0\0\0\0"], OK, Outcome.MALFORMED, "grpc: a compressed message, which nobody asked for"),
        ([prefixed(b"\xff")], OK, Outcome.MALFORMED, "grpc: not a GenerateResponse"),
        ([prefixed(b"")], OK, Outcome.MALFORMED, "grpc: a GenerateResponse without content"),
        ([b"\0\xff\xff\xff\xff"], OK, Outcome.MALFORMED, "grpc: a message that is too long"),
    ],
)
def test_what_is_not_a_whole_answer_says_what_it_is(
    data: list[bytes], trailers: Any, outcome: Outcome, error: str | None
) -> None:
    answer, _ = answered(*data, trailers=trailers)
    assert (answer.outcome, answer.error_type) == (outcome, error)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(b"503", Outcome.REJECTED), (b"429", Outcome.REJECTED), (b"502", Outcome.HTTP_ERROR)],
)
def test_a_proxy_s_http_status_is_kept(status: bytes, outcome: Outcome) -> None:
    answer = GrpcAnswer(True, [].append)
    answer.take_fields(((b":status", status), (b"content-type", b"text/html")), 5)
    answer.take_data(b"<html>", 6)
    if answer.outcome is None:
        answer.take_end(7)
    record = record_of(answer)
    assert (record.outcome, record.http_status) == (outcome, int(status))
    assert record.error_type == f"status {int(status)}"
