"""A run's folder, read back: all that a report needs, from files alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import Mistake, UsageError
from harness.measure.summary import Summary
from harness.measure.worker_report import read_worker_reports
from harness.scenario.load import load_scenario
from harness.scenario.model import Scenario
from harness.verdict.model import Verdict


@dataclass(frozen=True, slots=True)
class Report:
    """One run, as every kind of report takes it. ``started`` is None when no worker left its clock."""

    run_id: str
    scenario: Scenario
    summary: Summary
    verdict: Verdict
    environment: Mapping[str, Any]
    telemetry: Mapping[str, Any] = field(default_factory=dict)
    started: datetime | None = None

    @property
    def is_valid(self) -> bool:
        """Whether the measured values may be shown as true: neither INVALID nor ABORTED."""
        return self.verdict.kind.value not in {"INVALID", "ABORTED"}

    @property
    def duration_seconds(self) -> float:
        """From the run's start until its last answer or the last stage's end, in seconds."""
        series_end = self.summary.series.t[-1] + 1 if self.summary.series.t else 0.0
        return max(self.summary.whole.end_seconds, series_end)


def read_run(run_dir: Path) -> Report:
    """Read a run's folder. Raise UsageError with every missing file, or the first that is broken."""
    needed = [run_dir / name for name in ("scenario.yaml", "summary.json", "verdict.json")]
    missing = [path for path in needed if not path.is_file()]
    if missing:
        allowed = "a run's folder, as `tidegate run` writes it"
        raise UsageError(
            f"{run_dir} is not a run's folder",
            tuple(Mistake(path, None, path.name, "no such file", allowed) for path in missing),
        )
    summary = Summary.from_json(needed[1].read_text(encoding="utf-8"))
    return Report(
        run_id=summary.run_id,
        scenario=load_scenario(needed[0], check_files=False),
        summary=summary,
        verdict=Verdict.from_json(needed[2].read_text(encoding="utf-8")),
        environment=_read_object(run_dir / "environment.json"),
        telemetry=_read_object(run_dir / "telemetry.json"),
        started=_read_start(run_dir),
    )


def _read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; an absent file is an empty one, for these files only add to a report."""
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path} does not hold a JSON object")
    return data


def _read_start(run_dir: Path) -> datetime | None:
    starts = [report.start_wall_ns for report in read_worker_reports(run_dir)]
    return datetime.fromtimestamp(min(starts) / 1e9, tz=UTC) if starts else None
