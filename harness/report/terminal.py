"""The terminal: live progress while a run goes on (``LiveView``), and the verdict when it has ended."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.measure.summary import FlashSale
from harness.report import headline, units, words
from harness.report.calibration import MEANING, floor_sign, floor_text, is_marked, is_objective_marked
from harness.report.closed_loop import NOTE, is_closed
from harness.report.live import LiveView, Progress
from harness.report.run_folder import Report
from harness.verdict.model import ObjectiveResult

__all__ = ["LiveView", "Progress", "print_verdict"]

PIPE_WIDTH = 120
STYLES = {
    "PASS": "bold green",
    "FAIL": "bold red",
    "INCONCLUSIVE": "bold yellow",
    "INVALID": "bold magenta",
    "ABORTED": "bold bright_black",
}


def print_verdict(report: Report, console: Console | None = None) -> None:
    """Print the verdict, why, the objectives and the key figures of a run."""
    console = _wide_enough(console or Console())
    kind = report.verdict.kind.value
    console.print()
    console.print(Text.assemble((f"{words.SYMBOLS[kind]} {kind}", STYLES[kind]), f"  {report.scenario.name}"))
    console.print(Text(headline.sentence(report)))
    for reason in headline.more_reasons(report):
        console.print(Text(f"  • {reason}"))
    if is_closed(report):
        console.print(Text(NOTE, style="dim"))
    console.print()
    if report.verdict.results:
        console.print(_objectives(report))
    console.print(_figures(report))
    if report.summary.spike is not None:
        console.print(_spike(report.summary.spike, report))
    console.print(Text(f"floor of this machine: {floor_text(report.summary)}", style="dim"))
    if report.summary.near_floor:
        console.print(Text(MEANING, style="dim"))


def _wide_enough(console: Console) -> Console:
    """Give a pipe the width that it lacks: its default of 80 columns folds the table into confetti."""
    if not console.is_terminal:
        console.width = max(console.width, PIPE_WIDTH)
    return console


def _objectives(report: Report) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Objective", overflow="fold", min_width=12)
    table.add_column("Metric", overflow="fold", min_width=12)
    table.add_column("Measured", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right")
    for name in ("n", "Required"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    for result in report.verdict.results:
        table.add_row(*_objective_row(result, report))
    return table


def _objective_row(result: ObjectiveResult, report: Report) -> tuple[Text | str, ...]:
    objective = result.objective
    status = result.status.value if report.is_valid else report.verdict.kind.value
    between = words.between(objective.metric, result.low, result.high) if report.is_valid else units.ABSENT
    near = floor_sign(is_objective_marked(report, result))
    value = _struck(f"{words.metric_value(objective.metric, result.measured)}{near}", report)
    return (
        Text(objective.name),
        f"{words.metric_name(objective.metric, objective.percentile)}, {headline.window(result)}",
        value if report.is_valid else Text.assemble(value, f" {words.doubt(report.verdict.kind.value)}"),
        between,
        units.count(result.n),
        words.limit(objective.op, objective.metric, objective.threshold),
        Text(f"{words.SYMBOLS[status]} {status}", style=STYLES[status]),
    )


def _figures(report: Report) -> Text:
    whole, capacity = report.summary.whole, report.summary.capacity
    ttft = whole.latencies["ttft"]
    known = [("offered", Text(f"{whole.offered:,} ({units.rate(whole.offered_rate)})"))]
    if capacity is not None:
        known.insert(0, ("capacity", Text(units.rate(capacity.requests_per_second))))
    measured = (
        ("goodput", units.rate(whole.goodput)),
        ("TTFT p50", units.seconds(ttft.p50) + floor_sign(is_marked(report, whole, "ttft", "p50"))),
        ("p99", units.seconds(ttft.p99) + floor_sign(is_marked(report, whole, "ttft", "p99"))),
        ("shed", units.share(whole.shed_share)),
        ("failed", units.share(whole.error_share)),
    )
    pairs = [*known, *((name, _struck(value, report)) for name, value in measured)]
    return _pairs("run", pairs, report)


def _spike(spike: FlashSale, report: Report) -> Text:
    measured = (
        ("first breach", words.event_time(spike.time_to_first_breach_seconds, "none")),
        ("peak backlog", units.count(spike.peak_backlog)),
        ("shed", units.share(spike.shed_share)),
        ("drained in", words.event_time(spike.drain_seconds)),
        ("recovered in", words.event_time(spike.recover_seconds)),
    )
    return _pairs("flash sale", [(name, _struck(value, report)) for name, value in measured], report)


def _pairs(title: str, pairs: list[tuple[str, Text]], report: Report) -> Text:
    """Write name and value pairs on one line; the title says for all of them that they are in doubt."""
    doubt = "" if report.is_valid else f" ({words.doubt(report.verdict.kind.value)})"
    line = Text(f"{title}{doubt}: ", style="bold")
    for number, (name, value) in enumerate(pairs):
        line.append(f"{' · ' if number else ''}{name} ", style="not bold dim")
        line.append_text(Text.assemble(value, style="not bold"))
    return line


def _struck(value: str, report: Report) -> Text:
    """Strike through what an INVALID run measured, for terminals that can; the words stand beside it."""
    return Text(value, style="strike dim" if report.verdict.kind.value == "INVALID" else "")
