"""A suite's report: the runs in their order, one index page, one JUnit file, one Markdown, one verdict."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from harness.report import figures, headline, markdown, units, words
from harness.report.html import document
from harness.report.junit import write_junit
from harness.report.markup import Html, cell, el, table
from harness.report.run_folder import Report
from harness.verdict.model import VerdictKind, worst


def write_suite(folder: Path, runs: Sequence[tuple[Path, Report]], name: str = "suite") -> VerdictKind:
    """Write ``suite.html``, ``junit.xml`` and ``summary.md`` into the folder and return the worst verdict.

    ``runs`` are the run folders, which hold ``report.html``, with their reports in the order they ran.
    """
    reports = [report for _, report in runs]
    kind = worst(report.verdict for report in reports)
    links = [quote(os.path.relpath(run_dir / "report.html", folder)) for run_dir, _ in runs]
    page = _page(name, kind, list(zip(links, reports, strict=True)))
    (folder / "suite.html").write_text(page, encoding="utf-8")
    write_junit(folder / "junit.xml", reports, name)
    text = suite_markdown(name, kind, reports)
    (folder / "summary.md").write_text(text, encoding="utf-8")
    markdown.append_step_summary(text)
    return kind


def suite_markdown(name: str, kind: VerdictKind, reports: Sequence[Report]) -> str:
    """Return the suite's overview as Markdown."""
    rows = [
        (
            f"{words.SYMBOLS[report.verdict.kind.value]} {report.verdict.kind.value}",
            report.scenario.name,
            headline.sentence(report),
        )
        for report in reports
    ]
    head = [f"## {words.SYMBOLS[kind.value]} {kind.value}: {markdown.escape(name)}", "", _counts(reports), ""]
    return "\n".join([*head, *markdown.grid(("Verdict", "Scenario", "Why"), rows)])


def _page(name: str, kind: VerdictKind, linked: list[tuple[str, Report]]) -> str:
    head = (
        "Scenario",
        "Verdict",
        "Why",
        "#Offered",
        "#Goodput",
        "#TTFT p50",
        "#TTFT p99",
        "#Shed",
        "#Failed",
    )
    body = el(
        "body",
        el(
            "header",
            el("div", "tidegate suite", class_="brand"),
            el("h1", name),
            class_="masthead",
        ),
        el(
            "main",
            _banner(kind, [report for _, report in linked]),
            el("h2", "Runs"),
            table(head, [_row(link, report) for link, report in linked], "Runs", stacks=True),
            el("footer", "Made by tidegate. The pages of the runs lie beside this one."),
        ),
        class_=kind.value,
    )
    return document(f"{kind.value}: {name}", body)


def _banner(kind: VerdictKind, reports: Sequence[Report]) -> Html:
    exit_line = f"The suite's verdict is the worst of its runs. Exit code\u00a0{kind.exit_code}."
    return el(
        "section",
        el("div", f"{words.SYMBOLS[kind.value]} {kind.value}", class_="word"),
        el("p", _counts(reports), class_="why"),
        el("p", exit_line, class_="exit"),
        class_=f"banner {kind.value}",
        aria_label="Verdict",
    )


def _counts(reports: Sequence[Report]) -> str:
    kinds = [report.verdict.kind.value for report in reports]
    counted = [f"{kinds.count(kind.value)} {kind.value}" for kind in VerdictKind if kind.value in kinds]
    return f"{units.plural(len(kinds), 'run')}: {', '.join(counted)}." if kinds else "No run."


def _row(link: str, report: Report) -> Html:
    whole, kind = report.summary.whole, report.verdict.kind.value
    ttft = whole.latencies["ttft"]
    measured = (
        ("Goodput", units.rate(whole.goodput)),
        ("TTFT p50", units.seconds(ttft.p50)),
        ("TTFT p99", units.seconds(ttft.p99)),
        ("Shed", units.share(whole.shed_share)),
        ("Failed", units.share(whole.error_share)),
    )
    return el(
        "tr",
        el("th", el("a", report.scenario.name, href=link), el("small", report.run_id), scope="row"),
        cell(el("span", f"{words.SYMBOLS[kind]} {kind}", class_="pill")),
        el("td", headline.sentence(report), class_="reason"),
        cell(units.count(whole.offered), number=True, label="Offered"),
        *(cell(figures.measured(value, report), number=True, label=name) for name, value in measured),
        class_=kind,
    )
