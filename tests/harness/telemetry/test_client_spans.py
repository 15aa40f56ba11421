from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from harness.measure.record import Outcome
from harness.measure.records import Records
from harness.scenario.model import Rate, Scenario, Stage, Target
from harness.telemetry.client_spans import SpanCounts, client_spans, ship_spans
from harness.telemetry.request_documents import DocumentedRun
from harness.telemetry.worth_telling import worth_telling
from observability.trace_ids import span_id, trace_id
from tests.harness.measure.build import record, records_of
from tests.otlp_receiver import Receiver, attributes, receiver

SECOND = 1_000_000_000
SCENARIO = Scenario(
    name="sale",
    target=Target(url="http://127.0.0.1:8000", model="m"),
    stages=(Stage(name="calm", duration=1.0, rate=Rate(1.0, "/s")),),
)
RUN = DocumentedRun("run-1", SCENARIO, 1_800_000_000 * SECOND)


def recorded(*outcomes: Outcome) -> Records:
    """One request a second from 1 s on: sent 10 ms late, first token after 100 ms, ended after 500 ms."""
    rows = [
        record(seq, float(seq + 1), delay=0.01, outcome=outcome, trace_id=trace_id("run-1", seq))
        for seq, outcome in enumerate(outcomes)
    ]
    return records_of(rows)


def shipped(records: Records, rows: list[int]) -> tuple[SpanCounts, Receiver]:
    with receiver() as collector:
        exporter = OTLPSpanExporter(endpoint=f"{collector.url}/v1/traces")
        return ship_spans(client_spans(RUN, records, rows), exporter), collector


def test_a_span_is_the_parent_that_the_header_named_and_lasts_from_send_to_last_byte() -> None:
    counts, collector = shipped(recorded(Outcome.OK), [0])
    [span] = collector.spans
    assert counts == SpanCounts(made=1, acknowledged=1)
    assert collector.services == {"tidegate"}
    assert (span.kind, span.name) == (Span.SPAN_KIND_CLIENT, "POST /v1/chat/completions")
    assert (span.trace_id.hex(), span.span_id.hex()) == (trace_id("run-1", 0), span_id("run-1", 0))
    assert span.start_time_unix_nano == 1_800_000_001_010_000_000  # due at 1 s, sent 10 ms later
    assert span.end_time_unix_nano == 1_800_000_001_500_000_000
    events = {event.name: event.time_unix_nano - span.start_time_unix_nano for event in span.events}
    assert events == {"first_token": 90_000_000, "last_token": 490_000_000}
    told = attributes(span)
    assert told["tidegate.ttft_seconds"] == 0.1  # counted from the due time
    assert told["tidegate.schedule_delay_seconds"] == 0.01
    assert (told["tidegate.run_id"], told["tidegate.stage"]) == ("run-1", "calm")
    assert (told["server.address"], told["server.port"]) == ("127.0.0.1", 8000)
    assert (told["gen_ai.usage.output_tokens"], "error.type" in told) == (5, False)


def test_a_failure_is_an_error_with_its_kind() -> None:
    _, collector = shipped(recorded(Outcome.TIMEOUT), [0])
    [span] = collector.spans
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "timeout")
    assert attributes(span)["error.type"] == "timeout"


def test_what_was_never_sent_has_no_span() -> None:
    counts, collector = shipped(recorded(Outcome.DROPPED, Outcome.OK), [0, 1])
    assert counts == SpanCounts(1, 1)
    assert [span.span_id.hex() for span in collector.spans] == [span_id("run-1", 1)]


def test_the_failed_the_sampled_and_the_slowest_percent_are_worth_telling() -> None:
    """Of 200 requests number 7 failed, number 9 has an id among the lowest 5 %, and two are slowest."""
    high_id, low_id = "1" * 16 + "f" * 16, "1" * 16 + "0" * 15 + "1"
    rows = [record(seq, seq / 10, e2e=0.5 + seq / 1000, trace_id=high_id) for seq in range(200)]
    rows[7] = record(7, 0.7, outcome=Outcome.HTTP_ERROR, trace_id=high_id)
    rows[9] = record(9, 0.9, trace_id=low_id)
    assert worth_telling(records_of(rows), 0.05).tolist() == [7, 9, 198, 199]


class Broken(SpanExporter):
    """Acknowledges the first batch and no other."""

    batches = 0

    def export(self, spans):
        self.batches += 1
        return SpanExportResult.SUCCESS if self.batches == 1 else SpanExportResult.FAILURE


def test_spans_that_nobody_acknowledged_are_counted_as_lost() -> None:
    records = recorded(*[Outcome.OK] * 600)
    counts = ship_spans(client_spans(RUN, records, range(600)), Broken())
    assert (counts.made, counts.acknowledged, counts.lost) == (600, 512, 88)
