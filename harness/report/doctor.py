"""The doctor's findings in the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from harness.doctor import Finding


def print_findings(out: Console, findings: Iterable[Finding]) -> None:
    """Print one row for each finding; advice only where something can be raised."""
    table = Table(box=None, pad_edge=False)
    for heading in ("limit", "here", "what it means", "how to raise it"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        style = "yellow" if finding.advice else ""
        table.add_row(finding.subject, finding.value, finding.meaning, finding.advice or "fine", style=style)
    out.print(table)
