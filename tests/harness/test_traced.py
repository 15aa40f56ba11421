"""The spans of a run's folder, told to a collector after the load."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UsageError
from harness.measure.records import read_records
from harness.traced import collector_for, tell_spans
from tests.harness.load.servers import free_port
from tests.harness.report.run_folders import KINDS, write_run
from tests.otlp_receiver import attributes, receiver


def test_a_run_tells_its_failures_and_its_slowest_requests_and_how_many_spans_arrived(
    tmp_path: Path,
) -> None:
    run_dir = write_run(tmp_path / "run-1", KINDS["FAIL"])
    with receiver() as collector:
        counts = tell_spans(run_dir, collector.url)
    records = read_records(run_dir)
    told = {attributes(span)["tidegate.seq"] for span in collector.spans}
    failed = set(records.seq[~records.ok & records.was_sent].tolist())
    slowest = int(records.seq[np.argmax(np.where(records.ok, records.e2e_seconds, 0))])
    assert failed | {slowest} <= told
    assert len(told) == len(collector.spans) == counts.made == counts.acknowledged
    telemetry = json.loads((run_dir / "telemetry.json").read_text())
    assert telemetry["client_spans"] == {"made": counts.made, "acknowledged": counts.made, "lost": 0}
    assert telemetry["logs"]["sent"] == 812  # what stood there stays


def test_what_was_asked_for_must_answer_and_what_was_only_found_may_not() -> None:
    notes: list[str] = []
    dead = f"http://127.0.0.1:{free_port()}"
    with receiver() as collector:
        assert collector_for(None, collector.url, notes.append) == collector.url
        assert collector_for(collector.url + "/", dead, notes.append) == collector.url
    assert collector_for("off", dead, notes.append) is None
    assert collector_for(None, None, notes.append) is None
    assert notes == []
    assert collector_for(None, dead, notes.append) is None
    assert notes[0].startswith(f"no traces of these runs: the stack's collector at {dead}: ")
    with pytest.raises(UsageError, match="refused"):
        collector_for(dead, None, notes.append)
    with pytest.raises(UsageError, match="it is no http URL"):
        collector_for("collector:4318", None, notes.append)
