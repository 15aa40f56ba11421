import signal
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from observability.trace_ids import span_id, trace_id, traceparent
from tests.otlp_receiver import Receiver, attributes, receiver
from tests.target_server.running import CHAT, process_target, read, request_body, thread_target, wait_until

TRACE, PARENT = trace_id("run-1", 7), span_id("run-1", 7)
SAMPLED = {"traceparent": traceparent(TRACE, PARENT, sampled=True), "x-tidegate-run": "run-1"}
UNSAMPLED = {"traceparent": traceparent(trace_id("run-1", 8), PARENT, sampled=False)}


def test_a_sampled_request_becomes_four_spans_in_the_callers_trace(tmp_path: Path) -> None:
    """A process, and SIGTERM at once after the answer: what is queued is still delivered."""
    with receiver() as collector:
        timetable = ("--timetable", "ttft=50ms,gap=10ms")
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        with process_target(tmp_path, "--engine", "scripted", *timetable, **environment) as target:
            assert target.post(stream=True, max_tokens=5, headers=SAMPLED).status == 200
            assert target.post(headers=UNSAMPLED).status == 200
            target.process.send_signal(signal.SIGTERM)
            assert target.process.wait(timeout=10) == 0
        spans = {span.name: span for span in collector.spans}
        assert set(collector.paths) == {"/v1/traces"}
        assert collector.services == {"tidegate-target"}
    assert sorted(spans) == ["POST /v1/chat/completions", "decode", "prefill", "queue"]
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    server = spans.pop("POST /v1/chat/completions")
    assert (server.kind, server.parent_span_id.hex()) == (Span.SPAN_KIND_SERVER, PARENT)
    assert {child.parent_span_id for child in spans.values()} == {server.span_id}
    assert_phases_follow_each_other(server, spans)
    assert_attributes_tell_the_request(server)
    (line,) = [line for line in target.log_lines if line.get("trace.id") == TRACE]
    assert (line["span.id"], line["labels.run_id"]) == (server.span_id.hex(), "run-1")


def assert_phases_follow_each_other(server: Span, children: dict[str, Span]) -> None:
    queue, prefill, decode = (children[name] for name in ("queue", "prefill", "decode"))
    assert server.start_time_unix_nano <= queue.start_time_unix_nano
    assert queue.end_time_unix_nano == prefill.start_time_unix_nano
    assert prefill.end_time_unix_nano == decode.start_time_unix_nano
    assert 49e6 < prefill.end_time_unix_nano - prefill.start_time_unix_nano < 200e6  # the timetable's 50 ms
    assert 89e6 < decode.end_time_unix_nano - prefill.start_time_unix_nano < 300e6  # and four gaps of 10 ms
    events = {event.name: event.time_unix_nano for event in server.events}
    assert list(events) == ["first_token", "last_token"]
    assert decode.start_time_unix_nano <= events["first_token"] < events["last_token"]
    assert events["last_token"] == decode.end_time_unix_nano <= server.end_time_unix_nano


def assert_attributes_tell_the_request(server: Span) -> None:
    expected = {
        "http.route": CHAT,
        "http.response.status_code": 200,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "scripted",
        "gen_ai.request.max_tokens": 5,
        "gen_ai.usage.input_tokens": 4,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.response.finish_reasons": ["length"],
        "tidegate.run_id": "run-1",
    }
    assert expected.items() <= attributes(server).items()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> "Receiver":  # type: ignore[misc]
    with receiver() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        yield made  # type: ignore[misc]


def test_a_request_without_a_caller_begins_a_trace_that_its_log_line_names(collector: Receiver) -> None:
    with thread_target() as target:
        assert target.post().status == 200
    assert len(collector.spans) == 4
    assert {span.parent_span_id for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER} == {b""}


def test_a_refused_request_is_one_span_and_a_failed_one_has_status_error(collector: Receiver) -> None:
    with thread_target("ttft=5ms,error=0") as target:
        assert target.post(headers=SAMPLED, n=3).status == 400
        assert target.post(headers=SAMPLED).status == 500
    refused, *failed = sorted(collector.spans, key=lambda span: span.start_time_unix_nano)
    assert (refused.status.code, attributes(refused)["error.type"]) == (Status.STATUS_CODE_UNSET, "invalid")
    server = next(span for span in failed if span.kind == Span.SPAN_KIND_SERVER)
    assert server.status.code == Status.STATUS_CODE_ERROR
    assert "decode" not in {span.name for span in failed}


def test_a_cancelled_request_ends_the_phase_that_it_was_in(collector: Receiver) -> None:
    with thread_target("ttft=60s") as target:
        connection = target.send("POST", CHAT, request_body(CHAT), SAMPLED)
        wait_until(lambda: target.target.engine.stats().running == 1)
        connection.close()
        wait_until(lambda: target.target.engine.stats().running == 0)
    spans = {span.name: span for span in collector.spans}
    assert sorted(spans) == ["POST /v1/chat/completions", "prefill", "queue"]
    assert spans["prefill"].end_time_unix_nano <= spans["POST /v1/chat/completions"].end_time_unix_nano
    assert attributes(spans["POST /v1/chat/completions"])["http.response.status_code"] == 499


def test_spans_for_a_collector_that_is_gone_are_counted_as_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiver() as gone:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", gone.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with thread_target() as target:
        read(target.send("POST", CHAT, request_body(CHAT), SAMPLED))
        wait_until(lambda: target.sample("tidegate_target_spans_dropped_total") == 4, seconds=10)
