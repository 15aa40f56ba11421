"""Master and workers as their users start them, on one machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.measure.records import read_records
from tests.e2e.servers import BIN, reference_target, tidegate
from tests.harness.load.servers import free_port

SCENARIO = """
name: {name}
workload: {{prompt_tokens: 8, output_tokens: 4}}
drain: 5s
stages: [{{name: only, duration: 2s, rate: 50/s, arrivals: constant}}]
slos: [{{name: few-errors, metric: error_share, at_most: 20%}}]
limits: {{schedule_delay_p99: 500ms, loop_lag_p99: 500ms, clock_uncertainty: 500ms}}
"""


def test_workers_that_join_stay_for_the_whole_suite_and_no_longer(tmp_path: Path) -> None:
    folder, port = tmp_path / "scenarios", str(free_port())
    folder.mkdir()
    for name in ("first", "second"):
        (folder / f"{name}.yaml").write_text(SCENARIO.format(name=name))
    join = ["run", "--worker", "--master-port", port, "--workers", "2"]
    worker = subprocess.Popen([str(BIN / "tidegate"), *join], cwd=tmp_path)
    with reference_target(
        tmp_path, "--engine", "scripted", "--timetable", "ttft=5ms,gap=2ms,slots=64"
    ) as url:
        lead = ["--master", "--bind", f"127.0.0.1:{port}", "--expect-workers", "2"]
        done = tidegate("run", "scenarios", "--target", url, *lead, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert worker.wait(30) == 0
    runs = sorted(path for path in (tmp_path / "runs").iterdir() if (path / "run.json").exists())
    assert [path.name.split("-")[0] for path in runs] == ["first", "second"]
    for run_dir in runs:
        records = read_records(run_dir)
        assert records.seq.tolist() == list(range(100))
        assert set(records.worker.tolist()) == {0, 1}


def test_a_worker_needs_no_scenario_and_takes_none(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(SCENARIO.format(name="one"))
    done = tidegate("run", "one.yaml", "--worker", cwd=tmp_path)
    assert done.returncode == 2
    assert "--worker gets its load from the master" in done.stderr
