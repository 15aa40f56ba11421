"""A panel of lines as plotly's data: the series with their colours, the traces as diamonds, the stages."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.preview import colors
from dashboards.preview.axes import BASE, Panel, clock, stage_mark, stage_names, time_axis, value_axis
from dashboards.preview.choice import Window
from dashboards.preview.units import written
from dashboards.prometheus import Exemplar, Line

_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MOST_EXEMPLARS = 25


@dataclass(frozen=True, slots=True)
class Drawn:
    """The answer to one of the panel's queries, and the traces behind it."""

    target: Mapping[str, Any]
    lines: Sequence[Line]
    exemplars: Sequence[Exemplar] = ()


def line_figure(
    panel: Panel, drawn: Sequence[Drawn], stages: Sequence[tuple[float, str]], window: Window
) -> dict[str, Any]:
    """Return plotly's data and layout. ``stages``: (seconds since 1970, name)."""
    traces = list(_traces(panel, drawn))
    layout = {
        "showlegend": True,
        "xaxis": time_axis(panel, window),
        "yaxis": value_axis(panel, [height for height in _heights(traces) if height is not None]),
        "shapes": [stage_mark(at) for at, _ in stages],
        "annotations": stage_names(stages, window),
    }
    return {"data": traces, "layout": BASE | layout}


def legend(target: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Fill in a legend's labels."""
    return _LABEL.sub(lambda match: labels.get(match[1], ""), target["legendFormat"]).strip()


def _traces(panel: Panel, drawn: Sequence[Drawn]) -> Iterable[dict[str, Any]]:
    number = 0
    for each in drawn:
        style = _style(panel, each.target["refId"])
        for line in each.lines:
            color = colors.named(style["color"]["fixedColor"]) if "color" in style else colors.nth(number)
            number += 1
            yield _line(panel, legend(each.target, line.labels), line, color, style)
        if each.exemplars:
            yield _diamonds(panel, each.exemplars)


def _heights(traces: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """Return every value, and what stacked ones come to together at each instant."""
    together: dict[str, float] = {}
    for trace in traces:
        if "stackgroup" in trace:
            for at, value in zip(trace["x"], trace["y"], strict=True):
                together[at] = together.get(at, 0.0) + (value or 0.0)
    return [*(value for trace in traces for value in trace["y"]), *together.values()]


def _style(panel: Panel, letter: str) -> dict[str, Any]:
    overrides = panel["fieldConfig"]["overrides"]
    mine = [each for each in overrides if each["matcher"]["options"] == letter]
    return {prop["id"]: prop["value"] for each in mine for prop in each["properties"]}


def _line(panel: Panel, name: str, line: Line, color: str, style: Mapping[str, Any]) -> dict[str, Any]:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    is_limit = "custom.lineStyle" in style
    points = with_gaps(line.points)
    values = [value if math.isfinite(value) else None for _, value in points]
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [clock(at) for at, _ in points],
        "y": values,
        "text": ["" if value is None else written(value, unit) for value in values],
        "hovertemplate": f"{name}: %{{text}}<extra></extra>",
        "line": {"color": color, "width": 1.2 if is_limit else 1.8, "dash": "dash" if is_limit else "solid"},
    }
    if _is_stacked(panel) and not is_limit:
        trace |= {"stackgroup": "one", "fillcolor": _faint(color, 0.35)}
    return trace


def with_gaps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Put a nan where Prometheus left steps out: a series that is absent is not a straight line."""
    times = [at for at, _ in points]
    distances = [after - at for at, after in itertools.pairwise(times)]
    step = min(distances, default=0.0)
    whole = list(points[:1])
    for distance, point in zip(distances, points[1:], strict=True):
        if distance > 1.5 * step:
            whole.append((point[0] - distance + step, math.nan))
        whole.append(point)
    return whole


def _is_stacked(panel: Panel) -> bool:
    stacking = panel["fieldConfig"]["defaults"]["custom"].get("stacking", {})
    return bool(stacking.get("mode") == "normal")


def _diamonds(panel: Panel, exemplars: Sequence[Exemplar]) -> dict[str, Any]:
    """Show the slowest ones: they are what somebody would click."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    shown = sorted(exemplars, key=lambda each: each.value)[-_MOST_EXEMPLARS:]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "traces",
        "showlegend": False,
        "x": [clock(each.at_seconds) for each in shown],
        "y": [each.value for each in shown],
        "text": [f"{written(each.value, unit)} {each.labels.get('trace_id', '')}" for each in shown],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "symbol": "diamond",
            "size": 6,
            "color": "#ffee52",
            "line": {"width": 1, "color": "#181b1f"},
        },
    }


def _faint(color: str, opacity: float) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
