"""The harness's own span of a request: CLIENT, from send to last byte, parent of what the target tells of it.

Written from the records when the run is over. Nothing of it is on the way of a request, no provider is
carried over a fork, and the slowest are known: a request gets its span by how it ended, whatever its flag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from harness.measure.record import OUTCOMES
from harness.measure.records import Records
from harness.measure.timings import MISSING
from harness.telemetry.request_documents import DocumentedRun
from observability.trace_ids import span_id

SERVICE_NAME = "tidegate"
_RESOURCE = Resource.create({"service.name": SERVICE_NAME})
_SCOPE = InstrumentationScope("harness")
_PATHS = {"chat": "/v1/chat/completions", "completions": "/v1/completions"}
_BATCH_SPANS = 512
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class SpanCounts:
    """Spans made, acknowledged by the endpoint, and lost on the way there."""

    made: int
    acknowledged: int

    @property
    def lost(self) -> int:
        """Spans that nobody acknowledged."""
        return self.made - self.acknowledged


def ship_spans(spans: Iterable[ReadableSpan], exporter: SpanExporter) -> SpanCounts:
    """Export all spans in batches, wait for each answer, and count; the exporter is shut down after it.

    The exporter itself tries again for some seconds. What it gives up is lost, and counted.
    """
    made = acknowledged = 0
    left = iter(spans)
    while batch := list(islice(left, _BATCH_SPANS)):
        made += len(batch)
        if exporter.export(batch) is SpanExportResult.SUCCESS:
            acknowledged += len(batch)
    exporter.shutdown()
    return SpanCounts(made, acknowledged)


def client_spans(run: DocumentedRun, records: Records, rows: Sequence[int]) -> Iterator[ReadableSpan]:
    """Yield the span of each of the rows that was sent; what never went out has no span."""
    for row in rows:
        if records.sent_ns[row] != MISSING:
            yield _span(run, records, int(row))


def _span(run: DocumentedRun, records: Records, row: int) -> ReadableSpan:
    ok = bool(records.ok[row])
    outcome = OUTCOMES[records.outcome[row]].value
    return ReadableSpan(
        name=f"POST {_path(run)}",
        context=_context(run.run_id, str(records.trace_id[row]), int(records.seq[row])),
        resource=_RESOURCE,
        attributes=_attributes(run, records, row),
        events=_events(run, records, row),
        kind=SpanKind.CLIENT,
        status=Status(StatusCode.UNSET) if ok else Status(StatusCode.ERROR, outcome),
        start_time=run.start_wall_ns + int(records.sent_ns[row]),
        end_time=run.start_wall_ns + int(records.end_ns[row]),
        instrumentation_scope=_SCOPE,
    )


def _context(run_id: str, trace: str, seq: int) -> SpanContext:
    span = span_id(run_id, seq)
    return SpanContext(int(trace, 16), int(span, 16), False, TraceFlags(TraceFlags.SAMPLED))


def _path(run: DocumentedRun) -> str:
    return _PATHS[run.scenario.target.api]


def _events(run: DocumentedRun, records: Records, row: int) -> list[Event]:
    instants = {
        "first_token": int(records.first_token_ns[row]),
        "last_token": int(records.last_token_ns[row]),
    }
    return [
        Event(name, timestamp=run.start_wall_ns + instant)
        for name, instant in instants.items()
        if instant != MISSING
    ]


def _attributes(run: DocumentedRun, records: Records, row: int) -> dict[str, Any]:
    due_ns, first_ns = int(records.intended_ns[row]), int(records.first_token_ns[row])
    target = urlsplit(run.scenario.target.url or "")
    facts: dict[str, Any] = {
        "http.request.method": "POST",
        "url.path": _path(run),
        "server.address": target.hostname,
        "server.port": target.port,
        "gen_ai.operation.name": "chat" if run.scenario.target.api == "chat" else "text_completion",
        "gen_ai.request.model": run.scenario.target.model,
        "gen_ai.request.max_tokens": _known(records.max_tokens[row]),
        "gen_ai.usage.input_tokens": _known(records.input_tokens[row]),
        "gen_ai.usage.output_tokens": int(records.output_tokens[row]),
        "http.response.status_code": _known(records.http_status[row]),
        "error.type": None if records.ok[row] else OUTCOMES[records.outcome[row]].value,
        "tidegate.run_id": run.run_id,
        "tidegate.scenario": run.scenario.name,
        "tidegate.stage": run.scenario.stages[int(records.stage[row])].name,
        "tidegate.seq": int(records.seq[row]),
        "tidegate.schedule_delay_seconds": (int(records.sent_ns[row]) - due_ns) / _NS,
        "tidegate.ttft_seconds": (first_ns - due_ns) / _NS if first_ns != MISSING else None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _known(value: Any) -> int | None:
    return int(value) if value >= 0 else None
