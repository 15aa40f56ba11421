"""The doctor's findings, and the preflight of a scenario, in the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from harness.doctor import Finding
from harness.preflight.preflight import Preflight
from harness.report.units import plural

_STYLES = {"fine": "", "warn": "yellow", "refuse": "red"}


def print_findings(out: Console, findings: Iterable[Finding]) -> None:
    """Print one row for each finding; advice only where something can be raised."""
    table = Table(box=None, pad_edge=False)
    for heading in ("limit", "here", "what it means", "how to raise it"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        style = "yellow" if finding.advice else ""
        table.add_row(finding.subject, finding.value, finding.meaning, finding.advice or "fine", style=style)
    out.print(table)


def print_preflight(out: Console, found: Preflight) -> None:
    """Print what a scenario needs beside what is here; in red what it would fail of."""
    need = found.need
    bound = f"at most {need.streams:,} requests open at once (estimated: {need.basis})"
    out.print(bound, highlight=False, soft_wrap=True)
    out.print(f"{plural(found.workers, 'worker')} on this machine", highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("limit", "needed", "here", "remedy"):
        table.add_column(heading, overflow="fold")
    for check in found.checks:
        row = (check.subject, check.needed, check.here, check.remedy or "fine")
        table.add_row(*row, style=_STYLES[check.weight])
    out.print(table)
