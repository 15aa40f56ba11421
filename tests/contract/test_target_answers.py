"""The two halves share the wire and nothing else: what the target says is what the harness understands."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.measure.record import Outcome
from harness.wire.exchange import Exchange
from harness.wire.http import RequestHead
from observability.trace_ids import span_id, trace_id, traceparent
from target_server.telemetry.request_log import configure_logging
from tests.target_server.running import (
    CHAT,
    COMPLETIONS,
    ThreadTarget,
    request_body,
    thread_target,
    wait_until,
)

WORDS = ["the ", "tide ", "comes ", "in "]


@pytest.fixture(scope="module")
def target() -> Iterator[ThreadTarget]:
    with thread_target("ttft=5ms,gap=2ms") as running:
        yield running


def exchange(target: ThreadTarget, path: str = CHAT, headers: bytes = b"", **fields: object) -> Exchange:
    """Ask as the harness asks and read as the harness reads."""
    body = json.dumps(request_body(path, **fields)).encode()
    head = RequestHead("POST", path, f"127.0.0.1:{target.port}", [("Content-Type", "application/json")])
    answer = Exchange(bool(fields.get("stream")), lambda gap_ns: None, keep_text=True)
    with socket.create_connection(("127.0.0.1", target.port), timeout=10) as connection:
        connection.sendall(head.render(headers, body))
        while data := connection.recv(65536):
            if answer.feed(data, time.monotonic_ns()):
                return answer
    answer.eof(time.monotonic_ns())
    return answer


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_is_ok_with_its_text_reason_and_counts(
    target: ThreadTarget, path: str, stream: bool
) -> None:
    options = {"stream_options": {"include_usage": True}} if stream else {}
    answer = exchange(target, path, stream=stream, **options)
    assert answer.outcome is Outcome.OK
    assert "".join(answer.pieces or []) == "".join(WORDS)
    assert answer.finish_reason == "length"
    assert answer.usage is not None
    assert (answer.usage.completion_tokens, answer.usage.prompt_tokens) == (4, 4 if path == CHAT else 1)
    assert answer.reusable


def test_the_chunks_can_be_read_without_decoding_their_json(target: ThreadTarget) -> None:
    """The target's own chunks must never be what slows the harness down."""
    body = json.dumps(request_body(CHAT, stream=True, max_tokens=20)).encode()
    head = RequestHead("POST", CHAT, "target", [])
    answer = Exchange(True, lambda gap_ns: None)
    with socket.create_connection(("127.0.0.1", target.port), timeout=10) as connection:
        connection.sendall(head.render(b"", body))
        while answer.chunks < 10:
            answer.feed(connection.recv(65536), time.monotonic_ns())
        assert answer._prefix is not None


def test_a_full_queue_is_rejected(target: ThreadTarget) -> None:
    with thread_target("ttft=30s", slots=1, queue=0) as full:
        full.send("POST", CHAT, request_body(CHAT))
        wait_until(lambda: full.target.engine.stats().running == 1)
        answer = exchange(full, stream=True)
    assert (answer.outcome, answer.status, answer.reusable) == (Outcome.REJECTED, 429, True)


def test_a_draining_target_is_rejected_and_its_connection_is_not_reused() -> None:
    with thread_target("ttft=100ms") as draining:
        draining.send("POST", CHAT, request_body(CHAT))
        wait_until(lambda: draining.target.engine.stats().running == 1)
        draining.target.server.drain()
        answer = exchange(draining, stream=True)
    assert (answer.outcome, answer.status, answer.reusable) == (Outcome.REJECTED, 503, False)


@pytest.mark.parametrize(
    ("fault", "stream", "outcome"),
    [
        ("error=2", True, Outcome.HTTP_ERROR),
        ("error=2", False, Outcome.HTTP_ERROR),
        ("truncate=2", True, Outcome.TRUNCATED),
        ("truncate=2", False, Outcome.HTTP_ERROR),
    ],
)
def test_each_fault_of_the_timetable_has_its_outcome(fault: str, stream: bool, outcome: Outcome) -> None:
    with thread_target(f"ttft=5ms,gap=2ms,{fault}") as faulty:
        assert exchange(faulty, stream=stream).outcome is outcome


def test_a_wrong_request_is_an_error_that_names_its_type(target: ThreadTarget) -> None:
    answer = exchange(target, stream=True, n=2)
    assert (answer.outcome, answer.error_type) == (Outcome.HTTP_ERROR, "invalid_request_error")


def test_the_headers_of_a_request_join_both_sides_logs(tmp_path: Path) -> None:
    trace, log = trace_id("run-7", 3), tmp_path / "log.jsonl"
    parent = traceparent(trace, span_id("run-7", 3), sampled=True)
    configure_logging(log)
    with thread_target() as logged:
        exchange(logged, headers=f"traceparent: {parent}\r\nx-tidegate-run: run-7\r\n".encode())
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    configure_logging(None)
    (line,) = [line for line in lines if "tidegate.outcome" in line]
    assert (line["trace.id"], line["labels.run_id"]) == (trace, "run-7")


def test_what_the_harness_counted_is_what_the_target_counted() -> None:
    with thread_target("ttft=5ms,gap=2ms") as fresh:
        options = {"include_usage": True}
        answers = [
            exchange(fresh, stream=True, stream_options=options, max_tokens=count) for count in (1, 4, 9)
        ]
        refused = exchange(fresh, n=2)
        usage = [answer.usage.completion_tokens or 0 for answer in answers if answer.usage]
        assert sum(usage) == fresh.sample("tidegate_target_output_tokens_total") == 14
        ok = fresh.sample("tidegate_target_requests_total", status="200", outcome="ok")
        wrong = fresh.sample("tidegate_target_requests_total", status=str(refused.status), outcome="invalid")
        assert (ok, wrong) == (3, 1)
