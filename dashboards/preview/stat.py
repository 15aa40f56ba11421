"""A single figure, with its colour, and the line that led to it."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.preview import colors
from dashboards.preview.lines import Drawn, legend
from dashboards.preview.units import written
from dashboards.prometheus import Line

_WIDTH, _HEIGHT = 300, 60


def stat_html(panel: Mapping[str, Any], drawn: Sequence[Drawn]) -> str:
    """Return the panel's body: one figure for each series, or what stands for none."""
    figures = [
        (legend(each.target, line.labels), line) for each in drawn for line in each.lines if _last(line)
    ]
    if not figures:
        return (
            f'<p class="none">{html.escape(panel["fieldConfig"]["defaults"].get("noValue", "no data"))}</p>'
        )
    several = len(figures) > 1
    return "".join(_figure(panel, name if several else "", line) for name, line in figures)


def _figure(panel: Mapping[str, Any], name: str, line: Line) -> str:
    value = _last(line)[-1]
    text, color = _words(panel["fieldConfig"]["defaults"], value)
    label = f"<small>{html.escape(name)}</small>" if name else ""
    inside = f"{label}<b>{html.escape(text)}</b>{_spark(line, color)}"
    return f'<div class="figure" style="color:{color}">{inside}</div>'


def _last(line: Line) -> list[float]:
    return [value for _, value in line.points if not math.isnan(value)]


def _words(defaults: Mapping[str, Any], value: float) -> tuple[str, str]:
    for mapping in defaults.get("mappings", ()):
        if said := mapping["options"].get(f"{value:g}"):
            return said["text"], colors.named(said["color"])
    color = "blue"
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            color = step["color"]
    return written(value, defaults["unit"]), colors.named(color)


def _spark(line: Line, color: str) -> str:
    values = [value for value in _last(line) if math.isfinite(value)]
    if len(values) < 2 or max(values) == min(values):
        return ""
    low, span = min(values), max(values) - min(values)
    steps = [
        f"{_WIDTH * i / (len(values) - 1):.1f},{_HEIGHT - (value - low) / span * (_HEIGHT - 4):.1f}"
        for i, value in enumerate(values)
    ]
    area = (
        f'<polygon points="0,{_HEIGHT} {" ".join(steps)} {_WIDTH},{_HEIGHT}" fill="{color}" opacity=".15"/>'
    )
    stroke = f'<polyline points="{" ".join(steps)}" fill="none" stroke="{color}" stroke-width="2"/>'
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none">{area}{stroke}</svg>'
