"""What lies behind the series of a plot: axes, grid, legend, the marks of stages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dashboards.preview.choice import Window
from dashboards.preview.units import ticks

Panel = Mapping[str, Any]
_INK, _GRID, _STAGE = "#ccccdc", "#2c3235", "#b877d9"
_NARROW = 8
_ROOM = 0.1
"""What part of the time range a stage's name takes."""
_CLEAR = "rgba(0,0,0,0)"

BASE: dict[str, Any] = {
    "paper_bgcolor": _CLEAR,
    "plot_bgcolor": _CLEAR,
    "font": {"color": _INK, "size": 11},
    "margin": {"l": 72, "r": 12, "t": 24, "b": 24},
    "hovermode": "x unified",
    "hoverlabel": {"bgcolor": "#22252b", "bordercolor": _GRID, "font": {"color": _INK}},
    "legend": {"orientation": "h", "y": -0.14, "x": 0, "font": {"size": 11}},
}
"""The layout that every plot begins with."""


def clock(seconds: float) -> str:
    """Return an instant as plotly reads it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")


def time_axis(panel: Panel, window: Window) -> dict[str, Any]:
    """Return the axis that all panels of a page share; a narrow one has fewer marks."""
    return {
        "gridcolor": _GRID,
        "zeroline": False,
        "tickformat": "%H:%M:%S",
        "tickangle": 0,
        "nticks": 4 if panel["gridPos"]["w"] <= _NARROW else 8,
        "range": [clock(window.start), clock(window.end)],
    }


def value_axis(panel: Panel, values: Sequence[float]) -> dict[str, Any]:
    """Return the axis that shows all of these values, with the panel's unit, bounds and scale."""
    defaults = panel["fieldConfig"]["defaults"]
    log = defaults["custom"].get("scaleDistribution", {}).get("type") == "log"
    axis: dict[str, Any] = {"gridcolor": _GRID, "zeroline": False, "automargin": False}
    seen = [value for value in values if value > 0] if log else list(values)
    if not seen:
        return axis | {"range": [0, 1], "showticklabels": False}
    low = min(seen) / 1.5 if log else min(defaults.get("min", min(seen)), *seen)
    high = defaults.get("max") or max(seen) * (1.6 if log else 1.08) or 1.0
    places, texts = ticks(low, high, defaults["unit"], log)
    bounds = [math.log10(low), math.log10(high)] if log else [low, high]
    return axis | {"type": "log" if log else "linear", "range": bounds, "tickvals": places, "ticktext": texts}


def stage_mark(at_seconds: float) -> dict[str, Any]:
    """Return a line where a stage begins."""
    at = clock(at_seconds)
    line = {"color": _STAGE, "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1, "line": line}


def stage_names(stages: Sequence[tuple[float, str]], window: Window) -> list[dict[str, Any]]:
    """Return the stages' names, on top of their lines; of two that are close the second stands higher."""
    room, level, names, before = window.seconds * _ROOM, 0, [], -math.inf
    for at, name in stages:
        level = 1 - level if at - before < room else 0
        names.append(_stage_name(at, name, level))
        before = at
    return names


def _stage_name(at_seconds: float, name: str, level: int) -> dict[str, Any]:
    font = {"color": _STAGE, "size": 10}
    place = {"xref": "x", "yref": "paper", "x": clock(at_seconds), "y": 1.0, "yshift": 10 * level}
    return place | {"text": name, "showarrow": False, "xanchor": "left", "yanchor": "bottom", "font": font}
