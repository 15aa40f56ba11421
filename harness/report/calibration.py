"""The machine's floor in words: what the harness itself adds here, and which values are near that."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from harness.measure.floor import NEAR, Ceiling, Floor, floor_in, near_floor
from harness.measure.summary import Summary
from harness.report import units

NOT_CALIBRATED = "not calibrated: run “tidegate calibrate”"


def floor_rows(summary: Summary) -> list[tuple[str, str]]:
    """Return (name, text) rows: the floor, and the run's values that are within ``NEAR`` times of it."""
    floor = floor_in(summary.environment)
    if floor is None:
        return [("Floor of this machine", NOT_CALIBRATED)]
    near = near_floor(floor, (summary.whole, *summary.stages), summary.generator.workers)
    marked = ", ".join(near) if near else "none"
    return [
        ("Floor of this machine", floor_sentence(floor)),
        (f"Values within {NEAR:g}× of the floor", marked),
    ]


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
    return f"{'at least ' if ceiling.at_least else ''}{ceiling.value:,.0f}"
