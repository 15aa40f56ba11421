"""The golden gRPC target, as grpcio's own client sees it."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc
import pytest
from smg_grpc_proto import vllm_engine_pb2 as pb
from smg_grpc_proto import vllm_engine_pb2_grpc as service

from harness.calibrate.golden.grpc_server import RunningGrpcGolden, golden_grpc
from tests.harness.calibrate.golden.client import connected, trace_of

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def golden() -> Iterator[RunningGrpcGolden]:
    with golden_grpc("ttft=5ms,gap=1ms") as running:
        yield running


def ask(tokens: int, *, stream: bool = True) -> Any:
    return pb.GenerateRequest(
        request_id="r", text="hi", stream=stream, sampling_params=pb.SamplingParams(max_tokens=tokens)
    )


def with_stub(url: str, use: Callable[[Any], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        async with grpc.aio.insecure_channel(url.removeprefix("grpc://")) as channel:
            return await use(service.VllmEngineStub(channel))

    return asyncio.run(asyncio.wait_for(go(), 20))


def generate(url: str, request: Any, line: str = "") -> tuple[list[Any], Any]:
    """Return the messages and the status."""
    messages: list[Any] = []

    async def use(stub: Any) -> Any:
        metadata = (("x-golden", line), ("traceparent", f"00-{TRACE}-b7ad6b7169203331-01"))
        try:
            async for message in stub.Generate(request, metadata=metadata):
                messages.append(message)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    status = with_stub(url, use)
    return messages, status


def test_a_foreign_client_reads_a_stream_as_vllm_sends_it(golden: RunningGrpcGolden) -> None:
    messages, status = generate(golden.url, ask(3))
    assert status is grpc.StatusCode.OK
    assert [message.WhichOneof("response") for message in messages] == ["chunk"] * 3 + ["complete"]
    assert [len(message.chunk.token_ids) for message in messages[:3]] == [1, 1, 1]
    last = messages[-1].complete
    assert (last.finish_reason, last.completion_tokens, last.prompt_tokens) == ("length", 1, 8)


def test_an_answer_in_one_piece_holds_every_id(golden: RunningGrpcGolden) -> None:
    [message], status = generate(golden.url, ask(4, stream=False))
    assert (len(message.complete.output_ids), status) == (4, grpc.StatusCode.OK)


@pytest.mark.parametrize(
    ("line", "messages", "status"),
    [
        ("tokens=2", 3, grpc.StatusCode.OK),
        ("truncate=2", 2, grpc.StatusCode.OK),
        ("status=429", 0, grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("status=503", 0, grpc.StatusCode.UNAVAILABLE),
        ("nonsense", 0, grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_a_request_s_own_timetable_goes_as_metadata(
    golden: RunningGrpcGolden, line: str, messages: int, status: Any
) -> None:
    given, told = generate(golden.url, ask(5), line)
    assert (len(given), told) == (messages, status)


def test_a_reset_stream_is_an_internal_error_and_no_finished_answer(golden: RunningGrpcGolden) -> None:
    _, status = generate(golden.url, ask(5), "reset=2")
    assert status is grpc.StatusCode.INTERNAL
    page = urllib.request.urlopen(f"{golden.http_url}/metrics").read().decode()
    assert 'outcome="broken"} 1' in page
    assert "tidegate_target_output_tokens_total 2" in page


def test_the_truth_has_every_request_by_its_trace_with_its_tokens_and_times(
    golden: RunningGrpcGolden,
) -> None:
    for tokens in (3, 5):
        generate(golden.url, ask(tokens))
    truth, seen = golden.stop()
    assert truth.tokens.tolist() == [3, 5]
    assert truth.trace_id.tolist() == [TRACE, TRACE]
    assert (truth.gaps.count, seen.connections) == (2 + 4, 2)
    assert (truth.first_write_ns - truth.arrived_ns >= 5_000_000).all()
    assert (truth.last_write_ns - truth.arrived_ns >= [7_000_000, 9_000_000]).all()


def test_the_http_port_answers_beside_it_and_both_have_one_truth_and_one_page(
    golden: RunningGrpcGolden,
) -> None:
    generate(golden.url, ask(3))
    with connected(golden.http_url) as client:
        assert client.ask(seq=1, max_tokens=4).tokens == 4
        assert client.get("/golden/log").json["requests"] == 2
        assert "tidegate_target_output_tokens_total 7" in client.get("/metrics").body.decode()
    truth, _ = golden.stop()
    assert truth.trace_id.tolist() == [TRACE, trace_of(1)]
    assert (truth.tokens.tolist(), truth.gaps.count) == ([3, 4], 2 + 3)


def test_a_client_that_takes_little_at_a_time_gets_all_in_order(golden: RunningGrpcGolden) -> None:
    """200 streams of 400 tokens on one connection are 3 MB: many times the window that a client opens."""

    async def use(stub: Any) -> list[int]:
        async def one() -> int:
            metadata = (("x-golden", "ttft=1ms,gap=10us"),)
            return len([message async for message in stub.Generate(ask(400), metadata=metadata)])

        return list(await asyncio.gather(*(one() for _ in range(40))))

    assert with_stub(golden.url, use) == [401] * 40


def test_the_other_calls_answer_and_unknown_ones_are_unimplemented(golden: RunningGrpcGolden) -> None:
    async def use(stub: Any) -> tuple[str, bool, Any]:
        info = await stub.GetModelInfo(pb.GetModelInfoRequest())
        health = await stub.HealthCheck(pb.HealthCheckRequest())
        try:
            await stub.GetServerInfo(pb.GetServerInfoRequest())
        except grpc.RpcError as error:
            return info.served_model_name, health.healthy, error.code()
        return info.served_model_name, health.healthy, None

    assert with_stub(golden.url, use) == ("golden", True, grpc.StatusCode.UNIMPLEMENTED)
