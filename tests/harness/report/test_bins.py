"""Bins of counts, and points that no line would show."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.summary import TimeSeries
from harness.report.bins import FEWEST_BINS, MOST_BINS, bin_seconds, middles, rates
from harness.report.run_folder import Report
from harness.report.traces import line


def series_of(report: Report, seconds: int, offered_per_second: int) -> TimeSeries:
    series = report.summary.series
    return replace(series, t=tuple(map(float, range(seconds))), offered=(offered_per_second,) * seconds)


@pytest.mark.parametrize(
    ("seconds", "per_second", "width"),
    [
        (160, 37, 1),  # a second holds enough
        (95, 1, 5),  # 19 bins of 5 requests
        (95, 0, 5),  # nothing was offered: the widest that leaves 15 bins
        (10, 1, 1),  # too short to make fewer points of it
        (7200, 50, 15),  # two hours: 480 points
        (1_000_000, 50, 300),
    ],
)
def test_the_width_follows_the_load_and_the_length(
    reports: dict[str, Report], seconds: int, per_second: int, width: int
) -> None:
    assert bin_seconds(series_of(reports["PASS"], seconds, per_second)) == width


@given(st.integers(15, 100_000), st.integers(0, 100))
def test_a_chart_has_neither_too_few_points_nor_too_many(
    reports: dict[str, Report], seconds: int, per_second: int
) -> None:
    width = bin_seconds(series_of(reports["PASS"], seconds, per_second))
    assert FEWEST_BINS <= seconds / width <= MOST_BINS


def test_a_rate_is_the_mean_of_its_bin_and_the_last_bin_is_divided_by_its_own_length() -> None:
    assert rates([1, 3, 5, 7, 9], 2) == [2.0, 6.0, 9.0]


def test_points_stand_in_the_middle_of_their_bins(reports: dict[str, Report]) -> None:
    assert middles(series_of(reports["PASS"], 5, 1), 2) == [1.0, 3.0, 4.5]


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=200), st.integers(1, 30))
def test_bins_keep_every_request(counts: list[int], width: int) -> None:
    lengths = [len(counts[start : start + width]) for start in range(0, len(counts), width)]
    total = sum(rate * length for rate, length in zip(rates(counts, width), lengths, strict=True))
    assert total == pytest.approx(sum(counts))


def test_a_point_between_gaps_is_drawn_as_a_point(reports: dict[str, Report]) -> None:
    series = series_of(reports["PASS"], 5, 1)
    assert line(series, [math.nan, 0.2, math.inf, 0.3, 0.4], "p99")["mode"] == "lines+markers"
    assert line(series, [0.1, 0.2, math.inf, 0.3, 0.4], "p99")["mode"] == "lines"
