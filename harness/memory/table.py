"""Stored runs for the terminal: one a row, or two side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.memory.query import StoredRun
from harness.report import units, words

_STYLES = {
    "PASS": "green",
    "FAIL": "red",
    "INVALID": "magenta",
    "INCONCLUSIVE": "yellow",
    "ABORTED": "yellow",
}

_COMPARED: tuple[tuple[str, Callable[[StoredRun], float], Callable[[float], str]], ...] = (
    ("Offered", lambda run: run.number("tidegate.offered_per_second"), units.rate),
    ("Goodput", lambda run: run.number("tidegate.goodput_per_second"), units.rate),
    ("Attainment", lambda run: run.number("tidegate.attainment_share"), units.share),
    ("Shed", lambda run: run.number("tidegate.shed_share"), units.share),
    ("Failed", lambda run: run.number("tidegate.error_share"), units.share),
    ("Output tokens", lambda run: run.number("tidegate.output_tokens_per_second"), units.rate),
    ("TTFT p50", lambda run: run.quantile_seconds("ttft", "p50"), units.seconds),
    ("TTFT p99", lambda run: run.quantile_seconds("ttft", "p99"), units.seconds),
    ("E2E p50", lambda run: run.quantile_seconds("e2e", "p50"), units.seconds),
    ("E2E p99", lambda run: run.quantile_seconds("e2e", "p99"), units.seconds),
    ("ITL p99", lambda run: run.quantile_seconds("itl", "p99"), units.seconds),
    ("Schedule delay p99", lambda run: run.quantile_seconds("schedule_delay", "p99"), units.seconds),
)


def print_runs(runs: Sequence[StoredRun], out: Console) -> None:
    """Print a table of runs, in their order."""
    table = Table("Run", "When (UTC)", "Scenario", "Verdict", box=None, pad_edge=False)
    for heading in ("Offered", "TTFT p99", "Goodput"):
        table.add_column(heading, justify="right")
    for run in runs:
        table.add_row(
            run.run_id,
            _when(run),
            str(run.fields.get("labels.scenario", units.ABSENT)),
            _verdict(run),
            units.rate(run.number("tidegate.offered_per_second")),
            units.seconds(run.quantile_seconds("ttft", "p99")),
            units.rate(run.number("tidegate.goodput_per_second")),
        )
    _print_in_full(table, out)


def print_comparison(first: StoredRun, second: StoredRun, out: Console) -> None:
    """Print two runs side by side, with what changed from the first to the second."""
    table = Table("", first.run_id, second.run_id, "Change", box=None, pad_edge=False)
    table.add_row("When (UTC)", _when(first), _when(second))
    table.add_row("Scenario", *(str(run.fields.get("labels.scenario")) for run in (first, second)))
    table.add_row("Verdict", _verdict(first), _verdict(second))
    for name, value_of, show in _COMPARED:
        before, after = value_of(first), value_of(second)
        table.add_row(name, show(before), show(after), _change(before, after))
    for name in dict.fromkeys([*_objectives(first), *_objectives(second)]):
        table.add_row(name, *(_objectives(run).get(name, units.ABSENT) for run in (first, second)))
    _print_in_full(table, out)


def _print_in_full(table: Table, out: Console) -> None:
    """Print without breaking a cell: ids are there to be copied, also where no terminal tells a width."""
    for column in table.columns:
        column.no_wrap = True
    wide = out.options.update(max_width=10_000)
    needed, width = table.__rich_measure__(out, wide).maximum, out.width
    out.width = max(width, needed)
    out.print(table)
    out.width = width


def _objectives(run: StoredRun) -> dict[str, str]:
    """Return what each objective measured, and how it was judged."""
    told = {}
    for each in run.fields.get("tidegate.objectives", ()):
        value = each.get("measured")
        measured = units.ABSENT if value is None else words.metric_value(each["metric"], value)
        told[str(each["name"])] = f"{measured} {each['status']}"
    return told


def _change(before: float, after: float) -> str:
    if not (math.isfinite(before) and math.isfinite(after) and before):
        return units.ABSENT
    return f"{(after - before) / before * 100:+.1f} %"


def _when(run: StoredRun) -> str:
    return str(run.fields["@timestamp"])[:19].replace("T", " ")


def _verdict(run: StoredRun) -> Text:
    kind = str(run.fields.get("tidegate.verdict", units.ABSENT))
    return Text(kind, style=_STYLES.get(kind, ""))
