"""The document of a request: its record's facts under the names and in the units of the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.measure.record import SCHEMA, Outcome, RequestRecord, TokenSource
from harness.scenario.load import load_scenario
from harness.telemetry.request_documents import DocumentedRun, request_documents
from observability.elastic.mappings import mapping_of
from observability.elastic.streams import Stream

SCENARIO = """
name: told
target: {url: "http://127.0.0.1:8000", model: small}
stages:
  - {name: calm, duration: 1s, rate: 10/s}
  - {name: sale, duration: 1s, rate: 20/s}
"""
START_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
MS = 1_000_000

ANSWERED = RequestRecord(
    seq=7,
    worker=2,
    stage=1,
    trace_id="ab" * 16,
    sampled=True,
    intended_ns=1_500 * MS,
    outcome=Outcome.OK,
    end_ns=1_900 * MS,
    sent_ns=1_502 * MS,
    connected_ns=1_503 * MS,
    first_byte_ns=1_600 * MS,
    first_token_ns=1_610 * MS,
    last_token_ns=1_890 * MS,
    http_status=200,
    input_tokens=30,
    output_tokens=5,
    max_tokens=8,
    token_source=TokenSource.USAGE,
    chunks=5,
    max_gap_ns=90 * MS,
    finish_reason="stop",
    cached_tokens=16,
    bytes_received=1234,
)
DROPPED = RequestRecord(
    seq=8,
    worker=2,
    stage=0,
    trace_id="cd" * 16,
    sampled=False,
    intended_ns=10 * MS,
    outcome=Outcome.DROPPED,
    end_ns=10 * MS,
    error_type="max_in_flight",
)


def documents(folder: Path, *records: RequestRecord) -> list[tuple[str, str, dict[str, Any]]]:
    rows = [{name: getattr(record, name) for name in SCHEMA.names} for record in records]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / "records-2.parquet")
    (folder / "scenario.yaml").write_text(SCENARIO)
    run = DocumentedRun("run-1", load_scenario(folder / "scenario.yaml"), START_NS)
    return [(each.stream, each.id, json.loads(each.source)) for each in request_documents(folder, run)]


def test_an_answered_request_is_told_in_full(tmp_path: Path) -> None:
    ((stream, identifier, told),) = documents(tmp_path, ANSWERED)
    assert (stream, identifier) == (Stream.REQUESTS, "run-1-2-7")
    assert told == {
        "@timestamp": "2026-01-01T00:00:01.500000Z",  # when it was due
        "ecs.version": "9.0.0",
        "labels.run_id": "run-1",
        "labels.scenario": "told",
        "labels.stage": "sale",
        "trace.id": "ab" * 16,
        "event.outcome": "success",
        "event.duration": 400 * MS,
        "http.response.status_code": 200,
        "gen_ai.request.model": "small",
        "gen_ai.request.max_tokens": 8,
        "gen_ai.response.finish_reasons": "stop",
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 5,
        "tidegate.seq": 7,
        "tidegate.worker": 2,
        "tidegate.sampled": True,
        "tidegate.outcome": "ok",
        "tidegate.token_source": "usage",
        "tidegate.cached_tokens": 16,
        "tidegate.chunks": 5,
        "tidegate.received_bytes": 1234,
        "tidegate.reconnects": 0,
        "tidegate.due_ms": 1500.0,
        "tidegate.schedule_delay_ms": 2.0,
        "tidegate.connect_ms": 1.0,
        "tidegate.ttft_ms": 110.0,
        "tidegate.ttft_service_ms": 108.0,
        "tidegate.e2e_ms": 400.0,
        "tidegate.tpot_ms": 70.0,  # 280 ms over 4 gaps
        "tidegate.max_gap_ms": 90.0,
    }


def test_what_did_not_happen_has_no_field(tmp_path: Path) -> None:
    ((_, _, told),) = documents(tmp_path, DROPPED)
    assert told["event.outcome"] == "failure"
    assert told["error.type"] == "max_in_flight"
    assert told["tidegate.e2e_ms"] == 0.0
    absent = {"schedule_delay", "connect", "ttft", "ttft_service", "tpot", "max_gap"}
    assert not {f"tidegate.{name}_ms" for name in absent} & told.keys()
    assert "http.response.status_code" not in told


def test_every_field_has_a_type_in_the_mapping(tmp_path: Path) -> None:
    fields = {name for *_, told in documents(tmp_path, ANSWERED, DROPPED) for name in told}
    assert fields <= mapping_of(Stream.REQUESTS)["properties"].keys()


def test_a_file_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "records-0.parquet").write_bytes(b"PAR1 cut off")
    assert [identifier for _, identifier, _ in documents(tmp_path, ANSWERED)] == ["run-1-2-7"]
