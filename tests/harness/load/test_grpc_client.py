from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterator
from typing import Any

import gevent
import numpy as np
import pytest

from harness.calibrate.golden.grpc_answers import GrpcAsk, failure, script_of
from harness.calibrate.golden.grpc_server import golden_grpc
from harness.calibrate.golden.timetable import Timetable
from harness.load.open_engine import Slice, open_engine
from harness.load.target_model import with_model
from harness.measure.record import Outcome, RequestRecord, TokenSource
from harness.measure.record_batch import RecordBatch
from harness.scenario.model import Rate, Scenario, Stage, Target
from harness.wire.hpack_block import literal
from harness.wire.http2 import GOAWAY, PING, RST_STREAM, frame
from harness.workload import Ask
from observability.trace_ids import trace_id
from tests.harness.load.engines import plan_at
from tests.harness.load.grpc_servers import MODEL, RawServer, Running, Wire, grpc_server
from tests.harness.load.servers import free_port
from tests.harness.measure.build import requests_in

MAX_CONCURRENT_STREAMS = 3
NO_ERROR, REFUSED_STREAM, ENHANCE_YOUR_CALM = 0, 7, 11
WHOLE = script_of(Timetable.parse("tokens=1"), GrpcAsk(stream=True, max_tokens=1, prompt_tokens=5)).first


class Prompt:
    def __init__(self, prompt: str | list[int], **body: Any) -> None:
        self._body = {"prompt": prompt, "stream": True, "max_tokens": 3, **body}

    def ask(self, *_: Any) -> Ask:
        return Ask(self._body, input_tokens_requested=9, max_tokens=3)


class Tool:
    """An engine over a gRPC client, and its records."""

    def __init__(self, url: str, asks: Prompt, *due_seconds: float, **target: Any) -> None:
        stage = Stage(name="only", duration=1.0, rate=Rate(1.0, "/s"))
        scenario = Scenario(
            name="tool", target=Target(url=url, **target), trace_sample_share=1.0, stages=(stage,), drain=5.0
        )
        self._batches: list[RecordBatch] = []
        self.zero_ns = 0
        part = Slice("run", 0, plan_at(*(due_seconds or (0.0,))), asks, max_in_flight=20_000, keep_gaps=True)
        self.engine = open_engine(scenario, part, self._batches.append)

    def run(self) -> list[RequestRecord]:
        self.zero_ns = time.monotonic_ns() + 20_000_000
        self.engine.start(self.zero_ns)
        assert self.engine.finished.wait(20)
        if self.engine.fault is not None:
            raise self.engine.fault
        return sorted((r for b in self._batches for r in requests_in(b)), key=lambda record: record.seq)


def one(url: str, prompt: str, **target: Any) -> RequestRecord:
    [record] = Tool(url, Prompt(prompt), **target).run()
    return record


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with grpc_server(tmp_path_factory.mktemp("grpc")) as running:
        yield running


def test_a_stream_is_counted_by_its_ids_because_vllm_s_last_message_counts_only_the_last_of_them(
    server: Running,
) -> None:
    record = one(server.url, "tokens 3")
    assert (record.outcome, record.http_status, record.finish_reason) == (Outcome.OK, 200, "length")
    assert (record.output_tokens, record.chunks, record.token_source) == (3, 3, TokenSource.USAGE)
    assert (record.input_tokens, record.cached_tokens, record.max_tokens) == (5, 4, 3)
    assert len(record.gaps_ns or []) == 2
    instants = [record.intended_ns, record.sent_ns, record.connected_ns, record.first_byte_ns]
    instants += [record.first_token_ns, record.last_token_ns, record.end_ns]
    assert instants == sorted(i for i in instants if i is not None)


def test_an_answer_in_one_piece_has_all_its_tokens_in_one_chunk(server: Running) -> None:
    [record] = Tool(server.url, Prompt("tokens 4", stream=False), stream=False).run()
    assert (record.outcome, record.output_tokens, record.chunks) == (Outcome.OK, 4, 1)


def test_the_request_carries_trace_run_key_deadline_and_sampling(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_TEST_KEY", "s3cret")
    [record] = Tool(
        server.url,
        Prompt([3, 70_000, 5], ignore_eos=True, temperature=0.5),
        api_key_env="TIDEGATE_TEST_KEY",
        request_timeout=7.0,
    ).run()
    assert record.outcome is Outcome.OK
    asked, note = server.asked()[-1], server.noted("asked")[-1]
    trace = trace_id("run", 0)
    assert asked.request_id == record.trace_id == trace
    assert list(asked.tokenized.input_ids) == [3, 70_000, 5]
    sampling = asked.sampling_params
    assert (sampling.max_tokens, sampling.temperature, sampling.ignore_eos) == (3, 0.5, True)
    assert note["metadata"]["traceparent"].startswith(f"00-{trace}-")
    assert note["metadata"]["x-tidegate-run"] == "run"
    assert note["metadata"]["authorization"] == "Bearer s3cret"
    assert 6 < note["seconds_left"] <= 7


@pytest.mark.parametrize(
    ("prompt", "outcome", "error", "tokens"),
    [
        ("abort RESOURCE_EXHAUSTED", Outcome.REJECTED, "grpc: RESOURCE_EXHAUSTED", 0),
        ("abort UNAVAILABLE", Outcome.REJECTED, "grpc: UNAVAILABLE", 0),
        ("abort DEADLINE_EXCEEDED", Outcome.TIMEOUT, "grpc: DEADLINE_EXCEEDED", 0),
        ("abort INTERNAL", Outcome.HTTP_ERROR, "grpc: INTERNAL", 0),
        ("abort INVALID_ARGUMENT", Outcome.HTTP_ERROR, "grpc: INVALID_ARGUMENT", 0),
        ("abort CANCELLED", Outcome.HTTP_ERROR, "grpc: CANCELLED", 0),
        ("tokens 2 then abort INTERNAL", Outcome.HTTP_ERROR, "grpc: INTERNAL", 2),
        ("tokens 2 then nothing", Outcome.TRUNCATED, "no GenerateComplete", 2),
        ("finish error", Outcome.HTTP_ERROR, "finish: error", 1),
        ("finish abort", Outcome.HTTP_ERROR, "finish: abort", 1),
        ("finish stop", Outcome.OK, None, 1),
        ("nothing", Outcome.EMPTY, None, 0),
    ],
)
def test_every_status_has_its_outcome(
    server: Running, prompt: str, outcome: Outcome, error: str | None, tokens: int
) -> None:
    record = one(server.url, prompt)
    assert (record.outcome, record.error_type, record.output_tokens) == (outcome, error, tokens)


def test_silence_beyond_the_read_timeout_is_a_timeout_and_cancels_the_call(server: Running) -> None:
    before = len(server.noted("cancelled"))
    record = one(server.url, "tokens 2 then hang", read_timeout=0.2)
    assert (record.outcome, record.error_type) == (Outcome.TIMEOUT, "read timeout")
    assert record.output_tokens == 2
    end_by = time.monotonic() + 5
    while len(server.noted("cancelled")) == before and time.monotonic() < end_by:
        time.sleep(0.02)
    assert len(server.noted("cancelled")) == before + 1


def test_the_request_timeout_ends_a_call_that_never_answers(server: Running) -> None:
    record = one(server.url, "hang", request_timeout=0.2)
    assert record.outcome is Outcome.TIMEOUT
    assert record.error_type in ("request timeout", "grpc: DEADLINE_EXCEEDED")
    assert 0.15 < (record.end_ns - (record.sent_ns or 0)) / 1e9 < 1.0


def test_a_stopped_run_cancels_its_open_calls(server: Running) -> None:
    tool = Tool(server.url, Prompt("hang"), 0.0, 0.0, 60.0)
    gevent.spawn_later(0.3, tool.engine.stop)
    records = tool.run()
    assert [r.outcome for r in records] == [Outcome.CANCELLED] * 3
    assert [r.sent_ns is not None for r in records] == [True, True, False]


def test_the_tokens_come_when_the_server_sends_them() -> None:
    with golden_grpc("ttft=100ms,gap=50ms,tokens=3") as golden:
        records = Tool(golden.url, Prompt("x"), *np.arange(10) * 0.01).run()
    ttft = np.median([(r.first_token_ns or 0) - (r.sent_ns or 0) for r in records]) / 1e9
    spread = np.median([(r.last_token_ns or 0) - (r.first_token_ns or 0) for r in records]) / 1e9
    assert ttft == pytest.approx(0.1, abs=0.03)
    assert spread == pytest.approx(0.1, abs=0.03)


def test_nobody_listening_is_refused() -> None:
    record = one(f"grpc://127.0.0.1:{free_port()}", "x")
    assert (record.outcome, record.error_type) == (Outcome.REFUSED, "ECONNREFUSED")


def test_a_server_that_never_says_hello_is_a_connect_timeout() -> None:
    async def mute(wire: Wire) -> None:
        await asyncio.sleep(5)

    with RawServer(mute, hello=b"") as raw:
        record = one(raw.url, "x", connect_timeout=0.2)
    assert (record.outcome, record.error_type) == (Outcome.TIMEOUT, "connect timeout")


def test_an_http_1_server_is_malformed_and_named() -> None:
    async def say(wire: Wire) -> None:
        wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await asyncio.sleep(1)

    with RawServer(say, hello=b"") as raw:
        record = one(raw.url, "x")
    assert (record.outcome, record.error_type) == (Outcome.MALFORMED, "http2: an HTTP/1 answer")


def test_a_connection_that_ends_under_its_calls_is_disconnected() -> None:
    async def leave(wire: Wire) -> None:
        await wire.next_request()

    with RawServer(leave) as raw:
        record = one(raw.url, "x")
    assert (record.outcome, record.error_type) == (Outcome.DISCONNECTED, "eof")


@pytest.mark.parametrize(
    ("code", "outcome", "error"),
    [
        (2, Outcome.DISCONNECTED, "rst_stream: INTERNAL_ERROR"),
        (ENHANCE_YOUR_CALM, Outcome.REJECTED, "rst_stream: ENHANCE_YOUR_CALM"),
    ],
)
def test_a_reset_stream_ends_its_call_alone(code: int, outcome: Outcome, error: str) -> None:
    async def reset_the_first(wire: Wire) -> None:
        first, second = await wire.next_request(), await wire.next_request()
        wire.send(frame(RST_STREAM, 0, first, struct.pack(">I", code)))
        wire.send(WHOLE.of(second.to_bytes(4, "big")))
        await asyncio.sleep(1)

    with RawServer(reset_the_first) as raw:
        records = Tool(raw.url, Prompt("x"), 0.0, 0.0).run()
    assert [(r.outcome, r.error_type) for r in records] == [(outcome, error), (Outcome.OK, None)]


def test_a_refused_stream_is_sent_once_more_and_a_second_refusal_is_the_answer() -> None:
    refusals = {"left": 1}

    async def refuse(wire: Wire) -> None:
        while True:
            number = await wire.next_request()
            if refusals["left"]:
                refusals["left"] -= 1
                wire.send(frame(RST_STREAM, 0, number, struct.pack(">I", REFUSED_STREAM)))
            else:
                wire.send(WHOLE.of(number.to_bytes(4, "big")))

    with RawServer(refuse) as raw:
        again = Tool(raw.url, Prompt("x"))
        [record] = again.run()
        assert (record.outcome, record.reconnects, again.engine.stats().reconnects) == (Outcome.OK, 1, 1)
        refusals["left"] = 2
        record = one(raw.url, "x")
        assert (record.outcome, record.error_type) == (Outcome.REJECTED, "REFUSED_STREAM")


def test_calls_beyond_a_goaway_move_to_a_new_channel_and_those_before_it_end_on_the_old_one() -> None:
    async def go_away(wire: Wire) -> None:
        first = await wire.next_request()
        if wire.number == 0:
            await wire.next_request()
            wire.send(frame(GOAWAY, 0, 0, struct.pack(">II", first, NO_ERROR)))
            await asyncio.sleep(0.05)
        wire.send(WHOLE.of(first.to_bytes(4, "big")))
        await asyncio.sleep(1)

    with RawServer(go_away) as raw:
        records = Tool(raw.url, Prompt("x"), 0.0, 0.0).run()
        assert [len(wire.streams) for wire in raw.wires] == [2, 1]
    assert [(r.outcome, r.reconnects) for r in records] == [(Outcome.OK, 0), (Outcome.OK, 1)]


def test_the_server_s_own_limit_of_streams_is_kept() -> None:
    async def answer_late(wire: Wire) -> None:
        for _ in range(2):
            await wire.next_request()
        await asyncio.sleep(0.1)
        for number in wire.streams:
            wire.send(WHOLE.of(number.to_bytes(4, "big")))
        await asyncio.sleep(1)

    with RawServer(answer_late, {MAX_CONCURRENT_STREAMS: 2}) as raw:
        records = Tool(raw.url, Prompt("x"), *[0.0] * 6).run()
        assert [len(wire.streams) for wire in raw.wires] == [2, 2, 2]
    assert {r.outcome for r in records} == {Outcome.OK}
    assert {r.reconnects for r in records} == {0}


def test_a_ping_is_answered() -> None:
    async def ping(wire: Wire) -> None:
        number = await wire.next_request()
        wire.send(frame(PING, 0, 0, b"12345678"))
        while True:
            head = await wire.reader.readexactly(9)
            payload = await wire.reader.readexactly(int.from_bytes(head[:3], "big"))
            if (head[3], head[4], payload) == (PING, 1, b"12345678"):
                wire.send(WHOLE.of(number.to_bytes(4, "big")))

    with RawServer(ping) as raw:
        assert one(raw.url, "x").outcome is Outcome.OK


def test_a_prompt_larger_than_the_peer_s_window_is_sent_as_the_window_opens(server: Running) -> None:
    ids = list(range(100_000, 160_000))  # 180 kB, where a peer takes 64 KiB unless it says more
    [record] = Tool(server.url, Prompt(ids)).run()
    assert record.outcome is Outcome.OK
    assert list(server.asked()[-1].tokenized.input_ids) == ids


def test_another_content_type_is_malformed() -> None:
    async def html(wire: Wire) -> None:
        number = await wire.next_request()
        wire.send(frame(1, 0x4 | 0x1, number, b"\x88" + literal(b"content-type", b"text/html")))
        await asyncio.sleep(1)

    with RawServer(html) as raw:
        record = one(raw.url, "x")
    assert (record.outcome, record.error_type) == (Outcome.MALFORMED, "grpc: another content type")


def test_a_status_alone_is_an_answer() -> None:
    async def refuse(wire: Wire) -> None:
        number = await wire.next_request()
        wire.send(failure("RESOURCE_EXHAUSTED").of(number.to_bytes(4, "big")))
        await asyncio.sleep(1)

    with RawServer(refuse) as raw:
        record = one(raw.url, "x")
    assert (record.outcome, record.error_type) == (Outcome.REJECTED, "grpc: RESOURCE_EXHAUSTED")


def test_the_model_s_name_is_asked_of_the_engine(server: Running) -> None:
    assert with_model(Target(url=server.url)).model == MODEL
    assert with_model(Target(url=server.url, model="mine")).model == "mine"
