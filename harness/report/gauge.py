"""A measured value, its interval and its threshold on one small line: how close it was, at a glance."""

from __future__ import annotations

import math

from harness.report.markup import Html, el
from harness.verdict.model import ObjectiveResult

_WIDTH, _MIDDLE, _EDGE = 190, 13, 6


def gauge(result: ObjectiveResult, label: str) -> Html:
    """Draw from 0 to a quarter beyond the largest finite value; what is infinite ends in an arrow."""
    threshold = result.objective.threshold
    finite = [v for v in (threshold, result.measured, result.high) if math.isfinite(v)]
    top = max(finite) * 1.25 or 1.0

    def x(value: float) -> float:
        return round(_EDGE + min(max(value, 0.0) / top, 1.0) * (_WIDTH - 2 * _EDGE), 1)

    good: tuple[float, float] = (
        (x(0), x(threshold)) if result.objective.op == "at_most" else (x(threshold), _WIDTH - _EDGE)
    )
    parts = [_line(_EDGE, _WIDTH - _EDGE, "axis"), _line(*good, "good")]
    if not (math.isnan(result.low) or math.isnan(result.high)):
        parts.append(_line(x(result.low), x(result.high), "range"))
    if not math.isnan(result.measured):
        parts.append(_point(x(result.measured), math.isinf(result.measured)))
    parts.append(el("line", x1=x(threshold), x2=x(threshold), y1=3, y2=23, class_="limit"))
    return el("svg", *parts, class_="gauge", viewBox=f"0 0 {_WIDTH} 26", role="img", aria_label=label)


def _line(x1: float, x2: float, class_: str) -> Html:
    return el("line", x1=x1, x2=x2, y1=_MIDDLE, y2=_MIDDLE, class_=class_)


def _point(x: float, is_infinite: bool) -> Html:
    if is_infinite:
        arrow = f"M{_WIDTH - 14} 6 L{_WIDTH - 2} {_MIDDLE} L{_WIDTH - 14} 20 Z"
        return el("path", d=arrow, class_="point")
    return el("circle", cx=x, cy=_MIDDLE, r=5, class_="point")
