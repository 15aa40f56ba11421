"""Building blocks of the charts: lines over seconds, axes of durations, and JSON without infinities."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.measure.summary import TimeSeries
from harness.report.bins import bin_seconds, middles, rates

Trace = dict[str, Any]


def line(
    series: TimeSeries,
    values: Sequence[float],
    name: str,
    *,
    colour: str | None = None,
    width: float = 2,
    dash: str = "solid",
    **more: Any,
) -> Trace:
    """Draw one value per second at the middle of its second; what is not finite leaves a gap."""
    mode = "lines+markers" if _has_lonely_point(values) else "lines"
    x = middles(series, 1)
    style = {"color": f"var(--{colour or name})", "width": width, "dash": dash}
    base = {"type": "scatter", "mode": mode, "name": name, "marker": {"size": 4}}
    return {**base, "x": x, "y": values, "line": style, **more}


def rate_line(series: TimeSeries, counts: Sequence[int], name: str, **style: Any) -> Trace:
    """Draw counts per second as a rate, in bins that are wide enough to hold some."""
    width = bin_seconds(series)
    return {**line(series, [], name, **style), "x": middles(series, width), "y": rates(counts, width)}


def _has_lonely_point(values: Sequence[float]) -> bool:
    """Say whether a value stands between gaps: a line alone would not show it."""
    finite = [False, *map(math.isfinite, values), False]
    return any(
        here and not before and not after
        for before, here, after in zip(finite, finite[1:], finite[2:], strict=False)
    )


def flat(ends: tuple[float, float], value: float, name: str, colour: str, dash: str) -> Trace:
    """Draw one value as a level line between two moments."""
    style = {"color": colour, "width": 1.6, "dash": dash}
    return {"type": "scatter", "mode": "lines", "name": name, "x": ends, "y": (value, value), "line": style}


def infinite(points: Sequence[tuple[float, float]]) -> Trace:
    """Mark the seconds whose percentile has no finite value, at the upper edge of the chart."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "p99 is ∞",
        "x": [t + 0.5 for t, _ in points],
        "y": [top for _, top in points],
        "marker": {"symbol": "triangle-up", "size": 7, "color": "var(--failed)"},
        "hovertemplate": "∞",
    }


def log_top(curves: Iterable[Iterable[float]]) -> float:
    """Return the seconds at which "above everything finite" is drawn."""
    return max((v for curve in curves for v in curve if math.isfinite(v)), default=1.0) * 1.6


def log_seconds(values: Iterable[float], top: float) -> dict[str, Any]:
    """Return a logarithmic axis of durations whose ticks read as people say them."""
    positive = [value for value in values if math.isfinite(value) and value > 0]
    low = min(positive, default=0.001)
    steps = (1,) if top / low > 300 else (1, 2, 5)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(max(top, low)))
    ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return {
        "type": "log",
        "tickvals": ticks,
        "ticktext": [_tick(value) for value in ticks],
        "range": [math.log10(low / 1.3), math.log10(max(top, low) * 1.15)],
        "hoverformat": ".3s",
        "ticksuffix": "",
    }


def _tick(seconds: float) -> str:
    if seconds >= 0.9995:
        return f"{seconds:,.0f} s"
    return f"{seconds * 1e3:.0f} ms" if seconds >= 0.9995e-3 else f"{seconds * 1e6:.0f} µs"


def plain(value: Any) -> Any:
    """Return what strict JSON can hold: nan and ±inf become null, which plotly leaves out."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
