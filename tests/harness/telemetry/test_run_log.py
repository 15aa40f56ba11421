"""The harness's log of a run while it goes on."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from harness.scenario.load import load_scenario
from harness.telemetry.log_documents import line_documents, live_documents, verdict_document
from harness.telemetry.run_log import StageLog, log_end, logged_run

SCENARIO = """
name: told
stages:
  - {name: calm, duration: 4s, rate: 10/s}
  - {name: sale, duration: 2s, rate: 20/s}
  - {name: after, duration: 2s, rate: 20/s}
"""


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_log_has_the_stages_when_they_begin_and_the_warnings_with_the_runs_id(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    logging.getLogger("harness.load").warning("before the run")
    with logged_run(tmp_path, "run-1"):
        stages = StageLog(load_scenario(tmp_path / "scenario.yaml"))
        stages.at(-1.0)  # workers prepare
        stages.at(0.5)
        stages.at(3.9)
        logging.getLogger("harness.load").warning("worker 1 is slow")
        stages.at(6.2)  # a master that was held up: two stages since
        log_end(("unreadable records-0.parquet",))
    logging.getLogger("harness.load").warning("after the run")
    told = lines(tmp_path / "generator.log.jsonl")
    assert [line["message"] for line in told] == [
        "run started",
        "stage calm begins",
        "worker 1 is slow",
        "stage sale begins",
        "stage after begins",
        "unreadable records-0.parquet",
        "load ended",
    ]
    assert {line["labels.run_id"] for line in told} == {"run-1"}
    assert told[3]["labels.stage"] == "sale"


def test_lines_become_documents_with_their_place_as_id(tmp_path: Path) -> None:
    file = tmp_path / "client.log.jsonl"
    file.write_bytes(b'{"a":1}\n{"a":2}\n{"verdict":"PASS"}\n')
    assert [(each.id, each.source) for each in line_documents(file, "run-1")] == [
        ("run-1-client-0", b'{"a":1}'),
        ("run-1-client-1", b'{"a":2}'),
    ]
    verdict = verdict_document(file, "run-1")
    assert (verdict.id, verdict.source) == ("run-1-verdict", b'{"verdict":"PASS"}')
    assert [each.id for each in live_documents(file, "run-1")] == [f"run-1-live-{n}" for n in range(3)]
    assert list(live_documents(tmp_path / "none", "run-1")) == []
