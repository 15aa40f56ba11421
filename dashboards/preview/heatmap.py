"""A histogram's buckets over time as plotly's heatmap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.preview.axes import BASE, clock, time_axis
from dashboards.preview.choice import Window
from dashboards.preview.units import written
from dashboards.prometheus import Line

_TICKS = 8


def heatmap_figure(panel: Mapping[str, Any], lines: Sequence[Line], window: Window) -> dict[str, Any]:
    """Return plotly's data and layout: a row for each bucket that anything fell into."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    rows = _used(_differences(lines))
    names = [f"≤ {written(bound, unit)}" for bound, _ in rows]
    times = sorted({at for _, row in rows for at in row})
    trace = {
        "type": "heatmap",
        "x": [clock(at) for at in times],
        "y": list(range(len(rows))),
        "z": [[row.get(at) or None for at in times] for _, row in rows],
        "colorscale": [
            [0, "#22315f"],
            [0.25, "#3274d9"],
            [0.5, "#73bf69"],
            [0.75, "#fade2a"],
            [1, "#f2495c"],
        ],
        "showscale": False,
        "hovertemplate": "%{x}: %{z:.3g} per second<extra></extra>",
    }
    step = max(1, len(rows) // _TICKS)
    axis = {"tickvals": list(range(0, len(rows), step)), "ticktext": names[::step], "gridcolor": "#2c3235"}
    return {"data": [trace], "layout": BASE | {"yaxis": axis, "xaxis": time_axis(panel, window)}}


def _differences(lines: Sequence[Line]) -> list[tuple[float, dict[float, float]]]:
    """Take cumulative buckets apart: (upper bound, {time: per second})."""
    ordered = sorted((float(line.labels["le"]), dict(line.points)) for line in lines)
    below: dict[float, float] = {}
    rows = []
    for bound, counts in ordered:
        rows.append((bound, {at: max(0.0, value - below.get(at, 0.0)) for at, value in counts.items()}))
        below = counts
    return rows


def _used(rows: list[tuple[float, dict[float, float]]]) -> list[tuple[float, dict[float, float]]]:
    """Cut off the buckets below the first and above the last that were hit."""
    hit = [i for i, (bound, row) in enumerate(rows) if any(row.values()) and not math.isinf(bound)]
    return rows[hit[0] : hit[-1] + 1] if hit else []
