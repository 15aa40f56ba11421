"""``tidegate calibrate --quick``, as a user runs it, and a run after it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from harness.calibrate.golden.running import golden
from harness.measure.floor import Floor

TIDEGATE = Path(sys.executable).parent / "tidegate"
SCENARIO = """
name: after
workload: {prompt_tokens: 16, output_tokens: 8}
drain: 2s
stages:
  - {name: only, duration: 1s, rate: 20/s, arrivals: constant}
slos:
  - {name: errors, metric: error_share, at_most: 5%}
"""


def test_calibrate_prints_and_keeps_the_floor_and_the_next_run_shows_it(tmp_path: Path) -> None:
    began = time.monotonic()
    told = tidegate("calibrate", "--quick", cwd=tmp_path)
    assert time.monotonic() - began < 60  # 20 s on a machine of its own
    [file] = (tmp_path / "cache").glob("floor-*.json")
    floor = Floor.from_json(file.read_text())
    assert floor.quick
    assert re.search(r"Added TTFT p50, p99\s*│ ", told.stdout)
    assert f"Floor of this machine, {floor.date}" in told.stdout
    # What the harness adds is positive, and small beside the 20 ms that the target takes.
    assert 0 < floor.added_ttft.p50_seconds < 0.02
    assert floor.added_ttft.p50_seconds <= floor.added_ttft.p99_seconds
    assert 0 < floor.added_gap.p50_seconds <= 0.02
    assert [at.requests_per_second for at in floor.send_lateness][:1] == [100]
    assert floor.send_lateness[0].planned == 50  # 0.5 s at 100/s
    assert floor.golden_pace_p99_seconds > 0
    assert floor.connections.value >= 10

    run_dir = run_after(tmp_path)
    environment = json.loads((run_dir / "environment.json").read_text())
    assert environment["calibration_floor"]["calibrated_at"] == floor.calibrated_at
    summary = json.loads((run_dir / "summary.json").read_text())
    assert isinstance(summary["near_floor"], list)
    assert f"calibrated on {floor.date}" in (run_dir / "report.html").read_text()
    assert f"calibrated on {floor.date}" in (run_dir / "summary.md").read_text()


def test_a_run_on_a_machine_that_was_not_calibrated_says_how(tmp_path: Path) -> None:
    run_dir = run_after(tmp_path)
    assert json.loads((run_dir / "environment.json").read_text())["calibration_floor"] is None
    assert "run “tidegate calibrate”" in (run_dir / "report.html").read_text()


def run_after(folder: Path) -> Path:
    """Run a small scenario against a golden target, and return the run's folder."""
    (folder / "after.yaml").write_text(SCENARIO)
    with golden("ttft=5ms,gap=1ms") as target:
        tidegate("run", "after.yaml", "--target", target.url, "--workers", "1", cwd=folder)
    [run_dir] = [path for path in (folder / "runs").iterdir() if (path / "run.json").exists()]
    return run_dir


def tidegate(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TIDEGATE_CACHE": str(cwd / "cache"), "COLUMNS": "120"}
    done = subprocess.run(
        [str(TIDEGATE), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done
