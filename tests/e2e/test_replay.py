"""A production trace, replayed: what was sent is what the file says."""

import csv
import json
import os
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.e2e.servers import only_run, reference_target, tidegate

ROOT = Path(__file__).parents[2]
TRACES = Path(os.environ.get("TIDEGATE_TRACES", ROOT.parent / "shared" / "traces"))
TRACE = TRACES / "azure-llm-2023-code.csv"
SPEED, RUN_SECONDS = 20.0, 12.0

SCENARIO = f"""
name: replay-azure-code
workload: {{prompt_tokens: trace, output_tokens: trace}}
max_in_flight: 4000
stages:
  - {{name: replay, duration: {RUN_SECONDS}s, trace: {{file: "{TRACE}", speed: {SPEED}x}}}}
slos: [{{name: errors, metric: error_share, at_most: 1%}}]
limits: {{schedule_delay_p99: 200ms, loop_lag_p99: 200ms}}
"""


def offsets_in_the_file() -> list[float]:
    with TRACE.open() as file:
        stamps = [datetime.fromisoformat(row["TIMESTAMP"][:26]) for row in csv.DictReader(file)]
    offsets = [(stamp - stamps[0]).total_seconds() / SPEED for stamp in stamps]
    return [offset for offset in offsets if offset < RUN_SECONDS]


@pytest.mark.skipif(not TRACE.exists(), reason="needs Azure's public trace (TIDEGATE_TRACES)")
def test_the_azure_code_trace_at_20x_is_sent_at_the_instants_of_the_file(tmp_path):
    scenario = tmp_path / "replay.yaml"
    scenario.write_text(SCENARIO)
    timetable = "ttft=5ms,gap=1ms,slots=2000,queue=2000"
    with reference_target(tmp_path, "--engine", "scripted", "--timetable", timetable) as url:
        done = tidegate("run", str(scenario), "--target", url, cwd=tmp_path)
    run_dir = only_run(tmp_path / "runs")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = pq.read_table(run_dir / "records-0.parquet").sort_by("seq").to_pylist()
    expected = offsets_in_the_file()
    assert len(rows) == len(expected)
    late = [abs(row["intended_ns"] / 1e9 - due) for row, due in zip(rows, expected, strict=True)]
    assert max(late) < 1e-5
    assert all(row["sent_ns"] is not None for row in rows)
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["whole"]["ok"] == len(expected)
