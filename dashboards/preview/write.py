"""Ask Prometheus what each panel asks, and write a page for each dashboard."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dashboards import expressions
from dashboards.preview.choice import Choice, Window, choose, step_seconds
from dashboards.preview.heatmap import heatmap_figure
from dashboards.preview.lines import Drawn, line_figure
from dashboards.preview.page import Body, Page
from dashboards.preview.stat import stat_html
from dashboards.prometheus import Prometheus

Stages = list[tuple[float, str]]
_STAGES = "Stages"


def write_previews(
    folder: Path, prometheus_url: str, seconds: float, run: str | None, end: float | None = None
) -> Iterator[Path]:
    """Write ``<uid>.html`` for each dashboard and yield its path.

    ``run`` None is the newest one that was sent in the ``seconds`` before ``end`` (seconds since 1970; None:
    now). Raises QueryError.
    """
    prometheus, until = Prometheus(prometheus_url.rstrip("/")), end or time.time()
    choice = choose(prometheus, Window(until - seconds, until), run)
    folder.mkdir(parents=True, exist_ok=True)
    for uid, board in expressions.boards().items():
        file = folder / f"{uid}.html"
        file.write_text(_page(prometheus, board, choice.at(board)), encoding="utf-8")
        yield file


def _page(prometheus: Prometheus, board: Mapping[str, Any], choice: Choice) -> str:
    stages = _stages(prometheus, board, choice)
    bodies = {
        panel["id"]: _body(panel, _ask_all(prometheus, panel, choice), stages, choice.window)
        for panel in expressions.panels(dict(board))
    }
    named = {each["name"] for each in board["templating"]["list"]}
    chosen = {name: value for name, value in choice.values.items() if name in named}
    return Page(board, chosen, bodies).html()


def _ask_all(prometheus: Prometheus, panel: Mapping[str, Any], choice: Choice) -> list[Drawn]:
    return [_ask(prometheus, panel, target, choice) for target in panel["targets"]]


def _ask(
    prometheus: Prometheus, panel: Mapping[str, Any], target: Mapping[str, Any], choice: Choice
) -> Drawn:
    window, expr = choice.window, choice.expression(target["expr"], panel)
    lines = prometheus.query_range(expr, window.start, window.end, step_seconds(panel, window))
    traces = prometheus.exemplars(expr, window.start, window.end) if target.get("exemplar") else []
    return Drawn(target, lines, traces)


def _stages(prometheus: Prometheus, board: Mapping[str, Any], choice: Choice) -> Stages:
    """Return the marks that lie in the time range: (seconds since 1970, name)."""
    window = choice.window
    marks = [each for each in board["annotations"].get("list", ()) if each["name"] == _STAGES]
    lines = [
        line
        for mark in marks
        for line in prometheus.query_range(choice.expression(mark["expr"], {}), window.start, window.end, 5.0)
    ]
    found = {(value / 1000, line.labels["stage"]) for line in lines for _, value in line.points}
    return sorted(stage for stage in found if window.start <= stage[0] <= window.end)


def _body(panel: Mapping[str, Any], drawn: list[Drawn], stages: Stages, window: Window) -> Body:
    if panel["type"] == "stat":
        return Body(text=stat_html(panel, drawn))
    lines = [line for each in drawn for line in each.lines]
    if all(math.isnan(value) for line in lines for _, value in line.points):
        nothing = panel["fieldConfig"]["defaults"].get("noValue", "no data")
        return Body(text=f'<p class="none">{nothing}</p>')
    if panel["type"] == "heatmap":
        return Body(heatmap_figure(panel, lines, window))
    return Body(line_figure(panel, drawn, stages, window))
