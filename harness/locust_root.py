"""The composition root of runs that start inside Locust: the load from below, the judgement from above."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from harness import run
from harness.assess import conclude
from harness.load.live_run import Conclusion, Drive, ObjectiveState
from harness.load.progress import Progress
from harness.report import headline, words
from harness.report.run_folder import Report
from harness.scenario.model import Scenario
from harness.scenario.objective import Objective


class LocustRoot:
    """Gives the Locust plugin what stands above the load: probe, facts, verdict, report, and words."""

    def run_load(
        self,
        scenario: Scenario,
        runs_dir: Path,
        note: Callable[[str], None],
        watch: Callable[[Progress], None],
        drive: Drive,
    ) -> Path:
        """Do all of a run but its conclusion; return its folder."""
        return run.run_load(scenario, runs_dir, note, watch, drive)

    def run_users(
        self, scenario: Scenario, runs_dir: Path, watch: Callable[[Progress], None], drive: Drive
    ) -> Path:
        """The same for a locustfile's users."""
        return run.run_users(scenario, runs_dir, watch, drive)

    def conclude(self, run_dir: Path) -> Conclusion:
        """Judge the run and write its reports."""
        report = conclude(run_dir)
        return Conclusion(
            run_dir,
            report.verdict.kind.value,
            report.verdict.exit_code,
            headline.sentence(report),
            headline.more_reasons(report),
            tuple(_judged(report)),
        )

    def so_far(self, objective: Objective, value: float) -> ObjectiveState:
        """Compare an objective's live value with its threshold: what it looks like, never a verdict."""
        good = value <= objective.threshold if objective.op == "at_most" else value >= objective.threshold
        status = "at the end" if math.isnan(value) else "within" if good else "beyond"
        return _row(objective, value, status, ", ".join(objective.stages) or "whole run")


def _judged(report: Report) -> list[ObjectiveState]:
    void = None if report.is_valid else report.verdict.kind.value
    return [
        _row(result.objective, result.measured, void or result.status.value, headline.window(result))
        for result in report.verdict.results
    ]


def _row(objective: Objective, value: float, status: str, where: str) -> ObjectiveState:
    return ObjectiveState(
        name=objective.name,
        metric=f"{words.metric_name(objective.metric, objective.percentile)}, {where}",
        measured=words.metric_value(objective.metric, value),
        required=words.limit(objective.op, objective.metric, objective.threshold),
        status=status,
    )
