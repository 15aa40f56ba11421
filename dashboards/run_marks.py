"""The marks of a finished run, from its folder."""

from __future__ import annotations

import json
from pathlib import Path

from dashboards.provision.annotations import Mark, run_marks
from harness.errors import UsageError
from harness.measure.worker_report import read_worker_reports
from harness.scenario.load import load_scenario

_NS = 1e9


def marks_of(run_dir: Path) -> tuple[str, tuple[Mark, ...]]:
    """Return the run's id and its marks. Raises UsageError where the folder holds no finished run."""
    reports = read_worker_reports(run_dir)
    try:
        verdict = json.loads((run_dir / "verdict.json").read_text())["kind"]
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{run_dir}: no finished run is stored here") from None
    if not reports:
        raise UsageError(f"{run_dir}: no worker left a report, so nobody knows when the run began")
    scenario = load_scenario(run_dir / "scenario.yaml", check_files=False)
    names = (stage.name for stage in scenario.stages)
    stages = list(zip(names, scenario.stage_starts_seconds(), strict=True))
    start_seconds = min(report.start_wall_ns for report in reports) / _NS
    run_id = run_dir.resolve().name
    return run_id, run_marks(run_id, verdict, start_seconds, stages, scenario.duration_seconds)
