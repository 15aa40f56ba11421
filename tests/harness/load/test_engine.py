from __future__ import annotations

import itertools
import socket
import time
from collections import Counter
from collections.abc import Callable

import gevent
import msgspec
import numpy as np
import pytest

from harness.measure.record import Outcome
from harness.measure.record_batch import RecordBatch
from observability.trace_ids import trace_id
from tests.harness.load import engines
from tests.harness.load.engines import Bench, Hello, plan_at
from tests.harness.load.servers import GOOD, Server, answering, good, silent, slow_stream
from tests.harness.wire.streams import with_length

MakeBench = Callable[..., Bench]


def test_every_arrival_is_sent_when_due_and_becomes_one_record(bench: MakeBench) -> None:
    with Server(good) as server:
        records = bench(server.url, plan_at(0.0, 0.05, 0.05, 0.1)).run()
    assert [r.seq for r in records] == [0, 1, 2, 3]
    assert {r.outcome for r in records} == {Outcome.OK}
    assert [r.intended_ns for r in records] == [0, 50_000_000, 50_000_000, 100_000_000]
    for record in records:
        instants = [record.intended_ns, record.sent_ns, record.first_byte_ns, record.first_token_ns]
        assert instants == sorted(i for i in instants if i is not None)
        assert (record.chunks, record.output_tokens, record.input_tokens, record.max_tokens) == (3, 6, 8, 3)


def test_the_request_carries_the_trace_the_run_and_the_question(bench: MakeBench) -> None:
    with Server(good) as server:
        [record] = bench(server.url, plan_at(0.0)).run()
        [asked] = server.asked
    assert asked.head.startswith("POST /v1/chat/completions HTTP/1.1\r\n")
    assert record.trace_id == trace_id("run", 0)
    assert f"traceparent: 00-{record.trace_id}-" in asked.head
    assert "x-tidegate-run: run\r\n" in asked.head
    assert msgspec.json.decode(asked.body)["messages"] == [{"role": "user", "content": "hello"}]


def test_instants_agree_with_a_server_whose_truth_is_known(bench: MakeBench) -> None:
    with Server(slow_stream(0.1, 0.05, 3)) as server:
        tool = bench(server.url, plan_at(*np.arange(10) * 0.01))
        records = tool.run()
    ttft = np.median([(r.first_token_ns or 0) - (r.sent_ns or 0) for r in records]) / 1e9
    spread = np.median([(r.last_token_ns or 0) - (r.first_token_ns or 0) for r in records]) / 1e9
    assert ttft == pytest.approx(0.1, abs=0.03)
    assert spread == pytest.approx(0.1, abs=0.03)
    [itl] = tool.engine.itl
    assert itl.count == 20
    assert itl.quantile(0.5) == pytest.approx(0.05, abs=0.02)
    assert [r.max_gap_ns for r in records] == [max(r.gaps_ns or []) for r in records]


def test_connections_are_kept_alive(bench: MakeBench) -> None:
    with Server(good) as server:
        records = bench(server.url, plan_at(*np.arange(10) * 0.05)).run()
        assert server.connections < 5
    assert records[0].connected_ns is not None
    for before, record in itertools.pairwise(records):
        if record.sent_ns is not None and before.end_ns < record.sent_ns:
            assert record.connected_ns is None


def test_a_reused_connection_that_the_server_closed_is_replaced_once_and_counted(bench: MakeBench) -> None:
    async def closes_on_second(asked):  # type: ignore[no-untyped-def]
        if asked.connection == 0 and asked.number == 1:
            asked.writer.close()  # having read the request: the client learns of it only now
        else:
            await asked.answer(GOOD)

    with Server(closes_on_second) as server:
        tool = bench(server.url, plan_at(0.0, 0.1))
        first, second = tool.run()
    assert (first.outcome, first.reconnects) == (Outcome.OK, 0)
    assert (second.outcome, second.reconnects) == (Outcome.OK, 1)
    assert tool.engine.stats().reconnects == 1


def test_a_server_that_closes_every_idle_connection_costs_no_request(bench: MakeBench) -> None:
    with Server(good, close_after_answer=True) as server:
        records = bench(server.url, plan_at(*np.arange(20) * 0.01)).run()
        assert server.connections == 20
    assert {record.outcome for record in records} == {Outcome.OK}


def test_a_replacement_that_closes_too_is_a_disconnection(bench: MakeBench) -> None:
    async def only_the_first(asked):  # type: ignore[no-untyped-def]
        if asked.number == 0:
            await asked.answer(GOOD)
        else:
            asked.writer.close()

    with Server(only_the_first) as server:
        _, second = bench(server.url, plan_at(0.0, 0.1)).run()
    assert (second.outcome, second.reconnects) == (Outcome.DISCONNECTED, 1)


def test_a_connection_that_breaks_after_the_first_byte_is_not_tried_again(bench: MakeBench) -> None:
    with Server(answering(GOOD[:200], close=True)) as server:
        [record] = bench(server.url, plan_at(0.0)).run()
        assert len(server.asked) == 1
    assert (record.outcome, record.reconnects) == (Outcome.DISCONNECTED, 0)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (with_length(b"{}", "429 Too Many Requests"), Outcome.REJECTED),
        (with_length(b"{}", "500 Internal Server Error"), Outcome.HTTP_ERROR),
        (with_length(b"<html></html>"), Outcome.MALFORMED),
        (with_length(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'), Outcome.TRUNCATED),
        (with_length(b"data: [DONE]\n\n"), Outcome.EMPTY),
    ],
)
def test_a_failed_request_is_a_record_like_any_other(
    bench: MakeBench, answer: bytes, outcome: Outcome
) -> None:
    with Server(answering(answer)) as server:
        records = bench(server.url, plan_at(0.0, 0.05)).run()
        assert server.connections == 1  # the framing was kept, so the connection is too
    assert [record.outcome for record in records] == [outcome, outcome]


def test_nobody_listening_is_refused(bench: MakeBench, free_port: int) -> None:
    [record] = bench(f"http://127.0.0.1:{free_port}", plan_at(0.0)).run()
    assert (record.outcome, record.error_type) == (Outcome.REFUSED, "ECONNREFUSED")
    assert record.sent_ns is not None
    assert record.connected_ns is None


def test_the_next_address_is_tried_when_the_first_refuses(bench: MakeBench) -> None:
    with Server(good) as server:  # listens on 127.0.0.1 only
        dead = (socket.AF_INET, ("127.0.0.2", server.port))
        records = bench(server.url, plan_at(0.0, 0.05), dead_addresses=(dead,)).run()
    assert [record.outcome for record in records] == [Outcome.OK, Outcome.OK]


@pytest.mark.parametrize(
    ("timeouts", "reason"),
    [
        ({"read_timeout": 0.15}, "read timeout"),
        ({"request_timeout": 0.15}, "request timeout"),
    ],
)
def test_silence_becomes_a_timeout_of_its_kind(
    bench: MakeBench, timeouts: dict[str, float], reason: str
) -> None:
    with Server(silent) as server:
        [record] = bench(server.url, plan_at(0.0), **timeouts).run()
    assert (record.outcome, record.error_type) == (Outcome.TIMEOUT, reason)
    assert 0.15 <= (record.end_ns - (record.sent_ns or 0)) / 1e9 < 0.6


def test_the_read_timeout_counts_from_the_last_byte(bench: MakeBench) -> None:
    with Server(slow_stream(0.1, 0.1, 5)) as server:
        [record] = bench(server.url, plan_at(0.0), read_timeout=0.3).run()
    assert record.outcome is Outcome.OK  # 0.5 s in all, never 0.3 s of silence


def test_a_connection_that_nobody_accepts_is_a_connect_timeout(bench: MakeBench) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        [record] = bench(url, plan_at(0.0), connect_timeout=0.2).run()
        for filler in fillers:
            filler.close()
    assert (record.outcome, record.error_type) == (Outcome.TIMEOUT, "connect timeout")


def test_arrivals_beyond_max_in_flight_are_dropped_and_say_so(bench: MakeBench) -> None:
    with Server(slow_stream(0.3, 0.0, 1)) as server:
        tool = bench(server.url, plan_at(*[0.0] * 5), max_in_flight=2)
        outcomes = Counter(record.outcome for record in tool.run())
        assert len(server.asked) == 2
    assert outcomes == {Outcome.OK: 2, Outcome.DROPPED: 3}
    assert tool.engine.stats().sent == 2


def test_what_is_open_after_the_drain_is_cancelled(bench: MakeBench) -> None:
    with Server(silent) as server:
        [record] = bench(server.url, plan_at(0.0), drain_seconds=0.2).run()
    assert record.outcome is Outcome.CANCELLED
    assert record.sent_ns is not None


def test_a_stop_ends_open_and_undue_arrivals_as_cancelled_records(bench: MakeBench) -> None:
    with Server(silent) as server:
        tool = bench(server.url, plan_at(0.0, 0.0, 10.0, 20.0))
        tool.start()
        gevent.sleep(0.3)
        tool.engine.stop()
        records = tool.wait()
    assert [record.outcome for record in records] == [Outcome.CANCELLED] * 4
    assert [record.sent_ns is None for record in records] == [False, False, True, True]
    assert records[3].intended_ns == 20_000_000_000


def test_an_answer_in_one_piece_is_measured_too(bench: MakeBench) -> None:
    body = (
        b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"completion_tokens":4}}'
    )
    with Server(answering(with_length(body, kind="application/json"))) as server:
        [record] = bench(server.url, plan_at(0.0), stream=False).run()
        assert "Accept: application/json" in server.asked[0].head
    assert (record.outcome, record.output_tokens, record.chunks) == (Outcome.OK, 4, 1)


def test_a_large_request_is_sent_in_pieces(bench: MakeBench) -> None:
    asks = Hello(body={"padding": "x" * 3_000_000})
    with Server(good) as server:
        [record] = bench(server.url, plan_at(0.0), asks=asks).run()
        assert len(server.asked[0].body) > 3_000_000
    assert record.outcome is Outcome.OK


def test_sends_keep_to_the_schedule_at_a_thousand_a_second(bench: MakeBench) -> None:
    with Server(good) as server:
        records = bench(server.url, plan_at(*np.arange(1000) / 1000), max_in_flight=2000).run()
    late = np.array([(r.sent_ns or 0) - r.intended_ns for r in records]) / 1e6
    assert len(records) == 1000
    assert late.min() >= 0
    assert np.median(late) < 5  # the server shares our interpreter here; the benchmark has the real figure


def test_a_frozen_loop_shows_in_lag_and_schedule_delay(bench: MakeBench) -> None:
    with Server(good) as server:
        tool = bench(server.url, plan_at(*np.arange(100) * 0.01))
        tool.start()
        gevent.sleep(0.2)
        tool.hold(0.5)
        records = tool.wait()
    worst = max((r.sent_ns or 0) - r.intended_ns for r in records) / 1e9
    assert 0.3 < worst < 0.9
    lag = tool.engine.loop_lag
    assert lag.max_seconds > 0.4
    assert lag.quantile(0.8) > 0.1  # 50 of about 120 ticks were missed, and each one counts


def test_listeners_get_every_record_once(bench: MakeBench) -> None:
    taken: list[RecordBatch] = []
    with Server(good) as server:
        tool = bench(server.url, plan_at(*np.arange(30) * 0.005))
        tool.engine.listeners.append(taken.append)
        records = tool.run()
    assert sorted(RecordBatch.concat(taken).seq.tolist()) == [r.seq for r in records]


def test_a_request_is_either_open_or_ended_whenever_the_counters_are_read() -> None:
    with Server(good) as server:
        tool = engines.bench(server.url, plan_at(*np.arange(30) * 0.005), native=False)
        tool.start()
        while not tool.engine.finished.is_set():
            stats = tool.engine.stats()
            assert stats.recorded + stats.in_flight == stats.offered
            gevent.sleep(0)
    assert stats.offered == 30


def test_a_broken_workload_ends_the_run_with_its_fault_and_all_records(bench: MakeBench) -> None:
    class Broken:
        def ask(self, *_: object) -> None:
            raise RuntimeError("no prompts")

    with Server(good) as server:
        tool = bench(server.url, plan_at(0.0, 0.1), asks=Broken())
        tool.start()
        assert tool.engine.finished.wait(5)
    assert isinstance(tool.engine.fault, RuntimeError)
    assert len(tool.records) == 2


def test_an_interpreter_that_stands_still_makes_the_native_engine_late_for_nothing() -> None:
    with Server(good) as server:
        tool = engines.bench(server.url, plan_at(*np.arange(100) * 0.01), native=True)
        tool.start()
        gevent.sleep(0.2)
        time.sleep(0.5)  # the server shares our interpreter, so that only the sends can be on time
        records = tool.wait()
    assert max((r.sent_ns or 0) - r.intended_ns for r in records) < 100_000_000
    assert tool.engine.loop_lag.max_seconds < 0.1


def test_the_native_engine_tells_a_first_token_while_its_stream_goes_on() -> None:
    with Server(slow_stream(0.05, 0.5, 3)) as server:
        run = engines.bench(server.url, plan_at(0.0))
        run.start()
        until = time.monotonic() + 5
        while not run.engine.ttft.count and time.monotonic() < until:
            gevent.sleep(0.01)
        assert run.engine.stats().in_flight == 1
        assert run.engine.ttft.quantile(0.5) == pytest.approx(0.05, abs=0.03)
        run.wait()
    assert run.engine.ttft.count == 1
