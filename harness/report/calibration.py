"""The machine's floor in words: what the harness itself adds here, and which values are near that."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from harness.measure.floor import MARKED_LATENCIES, NEAR, Ceiling, Floor, floor_in, floor_seconds, is_near
from harness.measure.summary import StageSummary, Summary
from harness.report import units
from harness.report.markup import Html, el
from harness.report.run_folder import Report
from harness.verdict.model import ObjectiveResult

NOT_CALIBRATED = "not calibrated: run “tidegate calibrate”"
SIGN = "≈"
MEANING = (
    f"{SIGN} floor: less than {NEAR:g} times what the harness itself adds on this machine: the value says as "
    "much about the harness as about the target."
)


def floor_rows(summary: Summary) -> list[tuple[str, str]]:
    """Return (name, text) rows: the floor, and the run's values that are within ``NEAR`` times of it."""
    near = ", ".join(summary.near_floor) if summary.near_floor else "none"
    marked = (
        [] if floor_in(summary.environment) is None else [(f"Values within {NEAR:g}× of the floor", near)]
    )
    return [("Floor of this machine", floor_text(summary)), *marked]


def floor_text(summary: Summary) -> str:
    """Return what the harness adds, in one line, or that nobody has measured it."""
    floor = floor_in(summary.environment)
    return NOT_CALIBRATED if floor is None else floor_sentence(floor)


def is_marked(report: Report, stage: StageSummary, latency: str, percentile: str) -> bool:
    """Whether a stage's ``p50`` … ``p999`` of a latency is near the floor."""
    return f"{stage.name}.{latency}.{percentile}" in report.summary.near_floor


def is_objective_marked(report: Report, result: ObjectiveResult) -> bool:
    """Whether what an objective measured is near the floor."""
    floor, objective = floor_in(report.summary.environment), result.objective
    if floor is None or objective.percentile is None or objective.metric not in MARKED_LATENCIES:
        return False
    at = "p50" if objective.percentile <= 50 else "p999" if objective.percentile >= 99.9 else "p99"
    stages = [stage for stage in report.summary.stages if stage.name in objective.stages]
    rate = max(stage.offered_rate for stage in stages or [report.summary.whole])
    workers = max(report.summary.generator.workers, 1)
    return is_near(result.measured, floor_seconds(floor, objective.metric, at, rate / workers))


def mark(near: bool) -> Html:
    """Return the mark that stands after a value, empty where it is far from the floor."""
    return el("span", f"\u00a0{SIGN} floor", class_="near", title=MEANING) if near else Html("")


def floor_sign(near: bool) -> str:
    """Return the mark as plain text."""
    return f" {SIGN}" if near else ""


def floor_sentence(floor: Floor) -> str:
    """Return what the harness adds, in one line."""
    ttft, gap = floor.added_ttft, floor.added_gap
    return (
        f"TTFT + {units.seconds(ttft.p50_seconds)} (p50), + {units.seconds(ttft.p99_seconds)} (p99); "
        f"token gap p99 + {units.seconds(gap.p99_seconds)}; calibrated on {floor.date}"
    )


def print_floor(console: Console, floor: Floor) -> None:
    """Print the floor as a table."""
    table = Table("What", "Value", title=f"Floor of this machine, {floor.date}", title_justify="left")
    table.add_row("Added TTFT p50, p99", _pair(floor.added_ttft.p50_seconds, floor.added_ttft.p99_seconds))
    table.add_row("Added token gap p50, p99", _pair(floor.added_gap.p50_seconds, floor.added_gap.p99_seconds))
    for late in floor.send_lateness:
        name = f"Send lateness p50, p99, p99.9 at {late.requests_per_second:,.0f}/s"
        table.add_row(
            name, f"{_pair(late.p50_seconds, late.p99_seconds)}, {units.seconds(late.p999_seconds)}"
        )
    table.add_row("Clean requests a second, one worker", _most(floor.clean_requests_per_second))
    table.add_row("Clean streamed tokens a second, one worker", _most(floor.clean_tokens_per_second))
    table.add_row("Connections held", _most(floor.connections))
    table.add_row("Golden target's own pace error p99", units.seconds(floor.golden_pace_p99_seconds))
    console.print(table)


def _pair(first_seconds: float, second_seconds: float) -> str:
    return f"{units.seconds(first_seconds)}, {units.seconds(second_seconds)}"


def _most(ceiling: Ceiling) -> str:
    if not ceiling.value:
        return "none found: the machine was too busy"
    return f"{'at least ' if ceiling.at_least else ''}{ceiling.value:,.0f}"
