"""A run told to a real Elasticsearch: what was sent is there, once, and can be found and compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from elasticsearch import Elasticsearch

from harness import shipped
from harness.assess import Facts, conclude, store_facts
from harness.errors import UsageError
from harness.measure.records import read_records
from harness.shipped import RunTeller
from harness.telemetry.request_documents import request_documents
from harness.telemetry.store import Store
from harness.verdict.model import VerdictKind
from observability.elastic.client import connect
from observability.elastic.document import make_document
from observability.elastic.mappings import mapping_of
from observability.elastic.streams import Stream
from tests.e2e.servers import only_run, reference_target, tidegate
from tests.harness.report.run_folders import ENVIRONMENT, KINDS, write_run
from tests.stack.conftest import Server

SCENARIO = """
name: told
seed: 3
workload: {prompt_tokens: 16, output_tokens: 8}
drain: 5s
trace_sample_share: 0.5
stages:
  - {name: calm, duration: 3s, rate: 40/s, arrivals: constant}
  - {name: busy, duration: 2s, rate: 60/s, arrivals: constant}
slos:
  - {name: ttft-p90, metric: ttft, percentile: 90, at_most: 500ms}
limits: {schedule_delay_p99: 500ms, loop_lag_p99: 500ms}
"""
ARRIVALS = 3 * 40 + 2 * 60


@pytest.fixture
def client(elasticsearch: Server) -> Iterator[Elasticsearch]:
    elasticsearch.start()
    with connect(elasticsearch.url) as client:
        yield client


@pytest.fixture
def target(tmp_path: Path, elasticsearch: Server) -> Iterator[str]:
    elasticsearch.start()
    arguments = ("--engine", "scripted", "--timetable", "ttft=20ms,gap=5ms,slots=32,queue=64")
    shipping = ("--elasticsearch", elasticsearch.url, "--spool-dir", str(tmp_path / "target-spool"))
    with reference_target(tmp_path, *arguments, *shipping) as url:
        yield url


def run_told(folder: Path, target: str, store: str) -> tuple[int, Path]:
    scenario = folder / "told.yaml"
    scenario.write_text(SCENARIO)
    done = tidegate(
        "run", str(scenario), "--target", target, "--workers", "1", "--elasticsearch", store, cwd=folder
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, only_run(folder / "runs")


def documents(client: Elasticsearch, stream: Stream, run_id: str) -> list[dict[str, Any]]:
    client.indices.refresh(index=stream)
    found = client.search(index=stream, query={"term": {"labels.run_id": run_id}}, size=10_000)
    return [hit["_source"] for hit in found["hits"]["hits"]]


def test_every_stream_of_a_run_is_complete_and_each_document_tells_its_request(
    tmp_path: Path, elasticsearch: Server, client: Elasticsearch, target: str
) -> None:
    code, run_dir = run_told(tmp_path, target, elasticsearch.url)
    verdict = json.loads((run_dir / "verdict.json").read_text())
    assert (code, verdict["kind"]) == (0, "PASS"), verdict["reasons"]
    streams = json.loads((run_dir / "telemetry.json").read_text())["elasticsearch"]["streams"]
    assert {name: told["complete"] for name, told in streams.items()} == {
        "requests": True,
        "generator": True,
        "target": True,
        "runs": True,
    }
    assert streams["requests"]["sent"] == streams["requests"]["stored"] == ARRIVALS
    assert streams["target"]["sent"] == streams["target"]["stored"] == ARRIVALS
    assert not (run_dir / "spool").exists()

    told = {each["tidegate.seq"]: each for each in documents(client, Stream.REQUESTS, run_dir.name)}
    (record, *_) = rows = pq.read_table(run_dir / "records-0.parquet").to_pylist()
    assert sorted(told) == sorted(row["seq"] for row in rows)
    of_record = told[record["seq"]]
    assert of_record["trace.id"] == record["trace_id"]
    assert of_record["labels.stage"] == "calm"
    assert of_record["tidegate.ttft_ms"] == pytest.approx(
        (record["first_token_ns"] - record["intended_ns"]) / 1e6
    )
    assert of_record["event.duration"] == record["end_ns"] - record["intended_ns"]
    target_lines = documents(client, Stream.TARGET, run_dir.name)
    assert {line["trace.id"] for line in target_lines} == {row["trace_id"] for row in rows}
    lines = documents(client, Stream.GENERATOR, run_dir.name)
    messages = {line["message"] for line in lines}
    assert {"run started", "stage busy begins", "load ended", "run judged", "request ok"} <= messages
    assert {name for line in lines for name in line} <= mapping_of(Stream.GENERATOR)["properties"].keys()


def test_runs_are_listed_found_and_compared(
    tmp_path: Path, elasticsearch: Server, client: Elasticsearch, target: str
) -> None:
    ids = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        ids.append(run_told(tmp_path / name, target, elasticsearch.url)[1].name)
    store = ("--elasticsearch", elasticsearch.url)
    listed = tidegate("runs", *store, cwd=tmp_path).stdout
    assert all(run_id in listed for run_id in ids)
    only = tidegate(
        "runs", "--query", f"labels.run_id:{ids[0]} AND tidegate.verdict:PASS", *store, cwd=tmp_path
    )
    assert ids[0] in only.stdout
    assert ids[1] not in only.stdout
    compared = tidegate("runs", *ids, *store, cwd=tmp_path).stdout
    assert "48.0/s" in compared  # 240 arrivals in 5 s
    assert "ttft-p90" in compared
    unreadable = tidegate("runs", "--query", "AND (", *store, cwd=tmp_path)
    assert unreadable.returncode == 2
    assert unreadable.stderr.startswith("--query: ")
    unknown = tidegate("runs", ids[0], "nobody", *store, cwd=tmp_path)
    assert "no run 'nobody'" in unknown.stderr


def test_a_store_that_was_asked_for_and_is_silent_ends_the_command_before_any_load(tmp_path: Path) -> None:
    scenario = tmp_path / "told.yaml"
    scenario.write_text(SCENARIO)
    store = ("--elasticsearch", "http://user:secret@127.0.0.1:9")
    done = tidegate("run", str(scenario), "--target", "http://127.0.0.1:9", *store, cwd=tmp_path)
    assert done.returncode == 5
    assert done.stderr.startswith("http://127.0.0.1:9: no answer from Elasticsearch")
    assert "secret" not in done.stderr
    assert not (tmp_path / "runs").exists()


def stored_run(folder: Path) -> Path:
    """A run that passes, as its workers left it."""
    run_dir = write_run(folder / "runs" / f"told-{uuid4().hex[:8]}", KINDS["PASS"])
    (run_dir / "telemetry.json").unlink()
    store_facts(run_dir, Facts(run_dir.name, planned=len(read_records(run_dir))), ENVIRONMENT)
    return run_dir


def test_a_run_whose_store_went_away_is_invalid_until_the_rest_is_shipped(
    tmp_path: Path, elasticsearch: Server, client: Elasticsearch
) -> None:
    run_dir = stored_run(tmp_path)
    assert conclude(run_dir).verdict.kind is VerdictKind.PASS
    teller = RunTeller(Store(elasticsearch.url, patience_seconds=2.0))
    elasticsearch.stop()
    report = teller.conclude(run_dir)
    assert report.verdict.kind is VerdictKind.INVALID
    requests, lines = len(read_records(run_dir)), len((run_dir / "client.log.jsonl").read_text().splitlines())
    assert report.verdict.reasons == tuple(
        f"telemetry_incomplete: {stream}: Elasticsearch holds an unknown number of {sent} documents, "
        f"{sent} still wait in the spool"
        for stream, sent in (("requests", requests), ("generator", lines - 1))
    )
    assert "no answer from Elasticsearch" in report.telemetry["elasticsearch"]["trouble"]

    elasticsearch.start()
    again = RunTeller(Store(elasticsearch.url)).resume(run_dir)
    assert again.verdict.kind is VerdictKind.PASS
    streams = again.telemetry["elasticsearch"]["streams"]
    assert {name: told["complete"] for name, told in streams.items()} == dict.fromkeys(
        ("requests", "generator", "runs"), True
    )
    assert len(documents(client, Stream.REQUESTS, run_dir.name)) == streams["requests"]["sent"]
    assert [each["tidegate.verdict"] for each in documents(client, Stream.RUNS, run_dir.name)] == ["PASS"]
    with pytest.raises(UsageError, match="nothing is left to ship"):
        RunTeller(Store(elasticsearch.url)).resume(run_dir)


def test_a_document_that_the_store_refuses_makes_the_run_invalid_and_is_kept_with_the_reason(
    tmp_path: Path, elasticsearch: Server, client: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = stored_run(tmp_path)
    told = {"@timestamp": "2026-01-01T00:00:00Z", "tidegate.seq": "no number"}
    bad = make_document(Stream.REQUESTS, f"{run_dir.name}-bad", told)
    monkeypatch.setattr(shipped, "request_documents", lambda *given: [*request_documents(*given), bad])
    report = RunTeller(Store(elasticsearch.url)).conclude(run_dir)
    sent = len(read_records(run_dir)) + 1
    assert report.verdict.kind is VerdictKind.INVALID
    assert report.verdict.reasons == (
        f"telemetry_incomplete: requests: Elasticsearch holds {sent - 1} of {sent} documents, "
        "1 were refused by Elasticsearch",
    )
    (letter,) = map(json.loads, (run_dir / "spool" / "dead-letters.ndjson").read_text().splitlines())
    assert (letter["id"], letter["reason"][:31]) == (bad.id, "400 document_parsing_exception:")
    assert [each["tidegate.verdict"] for each in documents(client, Stream.RUNS, run_dir.name)] == ["INVALID"]
