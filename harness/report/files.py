"""Every file that tells people and machines of one run."""

from __future__ import annotations

from pathlib import Path

from harness.report.html import write_html
from harness.report.junit import write_junit
from harness.report.markdown import write_markdown
from harness.report.run_folder import Report


def write_reports(run_dir: Path, report: Report) -> None:
    """Write ``report.html``, ``junit.xml`` and ``summary.md`` into the run's folder."""
    write_html(run_dir / "report.html", report)
    write_junit(run_dir / "junit.xml", [report])
    write_markdown(run_dir / "summary.md", report)
