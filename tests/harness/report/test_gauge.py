"""The small line that shows value, interval and threshold."""

from __future__ import annotations

import math
import re

from harness.report.gauge import gauge
from harness.scenario.objective import Objective
from harness.verdict.model import ObjectiveResult, VerdictKind


def result(measured: float, low: float, high: float, op: str = "at_most") -> ObjectiveResult:
    objective = Objective("x", "ttft", 99.0, op, 1.0)  # type: ignore[arg-type]
    return ObjectiveResult(objective, measured, low, high, 400, VerdictKind.PASS, "")


def x_of(svg: str, kind: str) -> float:
    line = re.search(rf'<line x1="([\d.]+)"[^>]*class="{kind}"', svg)
    assert line is not None
    return float(line[1])


def test_the_point_stands_left_of_the_limit_when_the_value_is_below_it() -> None:
    svg = gauge(result(0.5, 0.4, 0.6), "label")
    point = re.search(r'cx="([\d.]+)"', svg)
    assert point is not None
    # 0 to 1.25 over 178 px from 6 px: 0.5 is at 77.2 px and the limit at 148.4 px.
    assert float(point[1]) == 77.2
    assert x_of(svg, "limit") == 148.4


def test_an_infinite_value_is_an_arrow_and_not_a_point() -> None:
    svg = gauge(result(math.inf, 0.9, math.inf), "label")
    assert "<path" in svg
    assert "<circle" not in svg


def test_a_value_that_was_not_measured_draws_neither_point_nor_interval() -> None:
    svg = gauge(result(math.nan, math.nan, math.nan), "label")
    assert 'class="point"' not in svg
    assert 'class="range"' not in svg


def test_the_good_side_of_at_least_is_right_of_the_limit() -> None:
    assert x_of(gauge(result(1.2, 1.1, 1.3, "at_least"), "label"), "good") > 100
