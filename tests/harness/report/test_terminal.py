"""The terminal: the live view, plain lines, and the verdict at the end."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace

import pytest
from rich.console import Console

from harness.report.live import LiveView, sparkline
from harness.report.run_folder import Report
from harness.report.terminal import print_verdict
from harness.scenario.model import Rate, Scenario, Stage, Target

SCENARIO = Scenario(
    name="two-stages",
    target=Target(url="http://127.0.0.1:8000"),
    stages=(
        Stage(name="calm", duration=10, rate=Rate(5)),
        Stage(name="sale", duration=20, rate=Rate(50)),
    ),
    drain=7,
)


@dataclass(frozen=True)
class State:
    elapsed_seconds: float = 0.0
    stage: str = "calm"
    offered: int = 1234
    sent: int = 1230
    completed: int = 1100
    in_flight: int = 130
    failed: int = 2
    rejected: int = 11
    ttft_p50_seconds: float = 0.12
    ttft_p99_seconds: float = math.nan
    workers_alive: int = 2


def pipe() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=100)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_a_terminal_one_line_is_printed_every_five_seconds() -> None:
    console = pipe()
    with LiveView(SCENARIO, console) as view:
        for tick in range(0, 121):
            view(State(elapsed_seconds=tick / 10))
    clocks = [line.split()[0] for line in text_of(console).splitlines()]
    assert clocks == ["0:00", "0:05", "0:10"]


def test_a_late_tick_does_not_shift_the_lines_after_it() -> None:
    console = pipe()
    with LiveView(SCENARIO, console) as view:
        for elapsed in (0.0, 8.9, 9.9, 10.0):
            view(State(elapsed_seconds=elapsed))
    assert [line.split()[0] for line in text_of(console).splitlines()] == ["0:00", "0:08", "0:10"]


def test_a_plain_line_holds_every_count_and_shows_an_absent_percentile_as_absent() -> None:
    line = LiveView(SCENARIO, pipe()).plain_line(State(elapsed_seconds=12.0))
    assert line == (
        "0:12 sale (2/2) 2/20 s | offered 1,234 sent 1,230 completed 1,100 in flight 130 rejected 11 failed 2"
        " | TTFT (5 s) p50 120 ms p99 –"
    )


@pytest.mark.parametrize(
    ("elapsed", "position"),
    [
        (0.0, ("calm (1/2)", 0.0, 10.0)),
        (9.5, ("calm (1/2)", 9.5, 10.0)),
        (10.0, ("sale (2/2)", 0.0, 20.0)),
        (32.0, ("drain", 2.0, 7.0)),
        (90.0, ("drain", 7.0, 7.0)),
    ],
)
def test_the_position_names_the_stage_and_how_far_it_is(
    elapsed: float, position: tuple[str, float, float]
) -> None:
    assert LiveView(SCENARIO, pipe()).position(elapsed) == position


def test_a_terminal_gets_a_panel_that_is_gone_when_the_run_ends() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with LiveView(SCENARIO, console) as view:
        view(State(elapsed_seconds=12.0))
        shown = text_of(console)
    for part in ("two-stages → http://127.0.0.1:8000", "sale (2/2)", "1,234", "rejected", "0:18 left"):
        assert part in shown
    assert "\x1b[2K" in text_of(console)[len(shown) :]


def test_a_sparkline_scales_to_its_maximum_and_leaves_gaps_where_nothing_was_measured() -> None:
    assert sparkline([0.0, 1.0, 2.0, math.nan, math.inf]) == "▁▅█  "
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([]) == ""


@pytest.mark.parametrize("kind", ["PASS", "FAIL", "INCONCLUSIVE", "INVALID", "ABORTED"])
def test_the_verdict_names_every_objective_with_its_status_unbroken(
    reports: dict[str, Report], kind: str
) -> None:
    console = Console(file=io.StringIO(), force_terminal=False, width=80)
    print_verdict(reports[kind], console)
    lines = text_of(console).splitlines()
    for result in reports[kind].verdict.results:
        status = kind if kind in {"INVALID", "ABORTED"} else result.status.value
        row = next(line for line in lines if line.strip().startswith(f"{result.objective.name} "))
        assert row.rstrip().endswith(status)


def test_figures_of_an_invalid_run_say_that_they_are_not_valid_without_any_colour(
    reports: dict[str, Report],
) -> None:
    console = pipe()
    print_verdict(reports["INVALID"], console)
    text = text_of(console)
    assert text.count(" ms not valid") + text.count(" s not valid") >= 3
    assert "run (not valid): " in text
    assert "flash sale (not valid): " in text


def test_a_verdict_without_spike_or_capacity_prints(reports: dict[str, Report]) -> None:
    console = pipe()
    summary = replace(reports["PASS"].summary, spike=None, capacity=None)
    print_verdict(replace(reports["PASS"], summary=summary), console)
    assert "flash sale" not in text_of(console).replace("flash-sale", "")
