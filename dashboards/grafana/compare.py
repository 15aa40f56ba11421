"""Two runs on one axis: B is moved in time so that it begins where A did."""

from __future__ import annotations

from dashboards.grafana.common import BLUE, ORANGE, REPORTS
from dashboards.grafana.spec import Board, Link, Panel, Row, Series, Variable

_START = "tidegate:run_start_time_seconds"
_RUNS = f"label_values({_START}, run)"
_SHIFT = (
    f'query_result(round(max(last_over_time({_START}{{run="$run_a"}}[90d]))'
    f' - max(last_over_time({_START}{{run="$run_b"}}[90d]))))'
)

_VARIABLES = (
    Variable("run_a", "Run A", "It stays where it is in time.", _RUNS, all_values=False),
    Variable("run_b", "Run B", "It is moved onto A.", _RUNS, all_values=False),
    Variable(
        "shift",
        "Seconds from B to A",
        "How far B is moved; follows from the starts of both.",
        _SHIFT,
        regex="/ (-?[0-9]+) /",
        all_values=False,
        hidden=True,
    ),
    REPORTS,
)


def _pair(recorded: str, where: str = "", legend: str = "") -> tuple[Series, Series]:
    """Read a recorded series, which has the run as a label, of A and of B moved."""
    more = f", {where}" if where else ""
    return (
        Series(f'{recorded}{{run="$run_a"{more}}}', f"A{legend}", color=BLUE),
        Series(f'{recorded}{{run="$run_b"{more}}} offset ${{shift}}s', f"B{legend}", color=ORANGE),
    )


def _panel(title: str, description: str, unit: str, recorded: str, where: str = "", **more: object) -> Panel:
    return Panel(title, description, unit, _pair(recorded, where), **more)  # type: ignore[arg-type]


def _figure(title: str, description: str, unit: str, recorded: str, where: str = "") -> Panel:
    return Panel(title, description, unit, _pair(recorded, where), "stat", width=6, height=4)


_Q99 = 'quantile="0.99"'

BOARD = Board(
    "tidegate-compare",
    "tidegate / Compare",
    "Two runs on one axis. Choose a time range that shows A; B is moved onto it.",
    (
        Row(
            "At the end",
            (
                _figure(
                    "TTFT P99",
                    "Of the whole run, of answered requests.",
                    "s",
                    "tidegate:time_to_first_token_seconds:quantile_run",
                    _Q99,
                ),
                _figure(
                    "E2E P99",
                    "Of the whole run, of answered requests.",
                    "s",
                    "tidegate:request_duration_seconds:quantile_run",
                    _Q99,
                ),
                _figure(
                    "Good requests",
                    "Answered within every latency objective.",
                    "short",
                    "tidegate:good:total",
                ),
                _figure("Requests", "Arrivals that have ended.", "short", "tidegate:completed:total"),
            ),
        ),
        Row(
            "Over time",
            (
                _panel(
                    "Time to first token, P99",
                    "Over half a minute, of answered requests.",
                    "s",
                    "tidegate:time_to_first_token_seconds:quantile30s",
                    _Q99,
                    log=True,
                    minimum=None,
                ),
                _panel(
                    "End to end, P99",
                    "Over half a minute, of answered requests.",
                    "s",
                    "tidegate:request_duration_seconds:quantile30s",
                    _Q99,
                    log=True,
                    minimum=None,
                ),
                _panel(
                    "Offered",
                    "Arrivals per second: the same scenario offers the same.",
                    "reqps",
                    "tidegate:arrivals:rate30s",
                ),
                _panel(
                    "Goodput",
                    "Answers per second within every latency objective.",
                    "reqps",
                    "tidegate:good:rate30s",
                ),
                _panel(
                    "Output tokens",
                    "Tokens received per second.",
                    "short",
                    "tidegate:output_tokens:rate30s",
                ),
                _panel(
                    "Schedule delay, P99",
                    "Where this differs, the generators do, not the targets.",
                    "s",
                    "tidegate:schedule_delay_seconds:quantile30s",
                    _Q99,
                    log=True,
                    minimum=None,
                ),
            ),
        ),
    ),
    _VARIABLES,
    (
        Link("Report of A", "${reports}/${run_a}/report.html", "A's verdict, with exact percentiles"),
        Link("Report of B", "${reports}/${run_b}/report.html", "B's verdict, with exact percentiles"),
    ),
    stages=False,
    since="now-1h",
    refresh="",
)
