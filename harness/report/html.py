"""The HTML report: one file with everything in it, that opens anywhere and asks nobody for anything."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path

from plotly.offline import get_plotlyjs

from harness.report import figures, health, sections, words
from harness.report.calibration import MEANING
from harness.report.charts import Chart, charts, spec
from harness.report.markup import Html, el, join
from harness.report.run_folder import Report
from harness.scenario.load import dump

# The browser itself refuses every request that the page, or a library inside it, might make.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"


def write_html(path: Path, report: Report) -> Path:
    """Write the report as one self-contained HTML file and return its path."""
    path.write_text(page(report), encoding="utf-8")
    return path


def page(report: Report) -> str:
    """Return the whole document."""
    drawn = charts(report)
    kind = report.verdict.kind.value
    specs = {chart.key: spec(chart, report) for chart in drawn}
    body = el(
        "body",
        sections.masthead(report),
        el("main", *_main(report, drawn)),
        _script_json("charts", specs),
        *([_script(get_plotlyjs()), _script(asset("report.js"))] if drawn else []),
        class_=kind,
    )
    return document(f"{kind}: {report.scenario.name}", body)


def document(title: str, body: Html) -> str:
    """Wrap a body into a document with the common style and the policy that forbids all requests."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", title),
        el("style", Html(asset("report.css"))),
    )
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


@cache
def asset(name: str) -> str:
    """Return the text of a file beside this module."""
    return resources.files("harness.report").joinpath("assets", name).read_text(encoding="utf-8")


def _main(report: Report, drawn: tuple[Chart, ...]) -> list[Html]:
    spike = report.summary.spike
    parts = [
        ("", "", sections.banner(report)),
        ("figures", "Key figures", figures.key_figures(report)),
        ("objectives", "Objectives", sections.objective_table(report)),
        *([("sale", "Flash sale", figures.flash_sale(spike, report))] if spike else []),
        ("time", "Over time", _chart_grid(report, drawn)),
        ("stages", "Stages", sections.stage_table(report)),
        ("latencies", "Latencies", join([_latency_note(report), sections.latency_tables(report)])),
        ("trust", "Can these numbers be trusted?", _trust(report)),
        ("environment", "Environment", _environment(report)),
        ("words", "Words", health.definitions()),
    ]
    links = [el("a", title, href=f"#{key}") for key, title, _ in parts if key]
    shown = [el("section", el("h2", title), part, id=key) for key, title, part in parts if key]
    return [parts[0][2], el("nav", *links, aria_label="Contents"), *shown, _footer(report)]


def _latency_note(report: Report) -> Html:
    text = (
        "Percentiles are over all offered requests; those without an answer count as infinitely slow. "
        "The columns named “answered” look at successful requests only."
    )
    near = f" {MEANING}" if report.summary.near_floor else ""
    return el("p", f"{text}{near}", class_="note")


def _trust(report: Report) -> Html:
    return el(
        "div",
        el("div", el("h3", "The generator’s health"), health.generator(report)),
        el(
            "div",
            el("h3", "Client’s counts against the server’s"),
            health.reconciliation(report),
            el("h3", "Outcomes"),
            health.outcomes(report),
        ),
        class_="columns",
    )


def _environment(report: Report) -> Html:
    parts = [el("div", el("h3", "Machine and versions"), health.facts_of(report.environment, "Environment"))]
    if report.telemetry:
        parts.append(el("div", el("h3", "Telemetry"), health.facts_of(report.telemetry, "Telemetry")))
    written = el("div", el("pre", dump(report.scenario)), class_="scroll", tabindex="0")
    return el(
        "div",
        el("div", *parts, class_="columns"),
        el("details", el("summary", "The scenario as it ran"), written),
    )


def _chart_grid(report: Report, drawn: tuple[Chart, ...]) -> Html:
    if not drawn:
        return el("p", "Nothing was recorded, so there is nothing to draw.", class_="note")
    return el("div", *(_figure(chart, report) for chart in drawn), class_="charts")


def _figure(chart: Chart, report: Report) -> Html:
    kind = report.verdict.kind.value
    holds = report.is_valid or chart.is_evidence
    classes = ["wide"] * chart.wide + ["voided"] * (kind == "INVALID" and not holds)
    watermark = [] if holds else [el("div", words.doubt(kind).upper(), class_="watermark")]
    plot = el("div", class_="plot", data_chart=chart.key, role="img", aria_label=f"Chart: {chart.title}")
    caption = el("figcaption", chart.how_to_read)
    return el("figure", el("h3", chart.title), caption, plot, *watermark, class_=" ".join(classes) or None)


def _footer(report: Report) -> Html:
    text = (
        f"Made by tidegate from run {report.run_id}. This file holds everything it shows and asks no network."
    )
    return el("footer", text)


def _script(code: str) -> Html:
    # "</script" inside code would end the element early.
    safe = code.replace("</script", "<\\/script")
    return Html(f"<script>{safe}</script>")


def _script_json(key: str, value: object) -> Html:
    text = json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return Html(f'<script type="application/json" id="{key}">{text}</script>')
