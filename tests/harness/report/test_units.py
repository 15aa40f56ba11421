"""Figures for people: units, digits, and what is never rounded away."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import units


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0 s"),
        (1e-7, "< 1 µs"),
        (0.00084, "840 µs"),
        (0.0123, "12.3 ms"),
        (0.9994, "999 ms"),
        (0.9997, "1.00 s"),
        (1.534, "1.53 s"),
        (59.96, "60.0 s"),
        (185.0, "3 min 05 s"),
        (7260.0, "2 h 01 min"),
        (math.inf, "∞"),
        (math.nan, "–"),
        (None, "–"),
        (-0.002, "−2.00 ms"),
    ],
)
def test_durations_read_as_people_say_them(value: float | None, shown: str) -> None:
    assert units.seconds(value) == shown


@given(st.floats(min_value=1e-9, max_value=1e5))
def test_a_duration_never_shows_a_thousand_of_a_unit_that_has_a_larger_one(value: float) -> None:
    number, _, unit = units.seconds(value).removeprefix("< ").partition(" ")
    if unit in {"µs", "ms"}:
        assert float(number) < 1000


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0 %"),
        (0.00001, "< 0.01 %"),
        (0.0013, "0.13 %"),
        (0.176, "17.6 %"),
        (0.9990, "99.90 %"),
        (0.99999, "> 99.99 %"),
        (1.0, "100 %"),
        (math.nan, "–"),
    ],
)
def test_shares_keep_what_matters(value: float, shown: str) -> None:
    assert units.share(value) == shown


@given(st.floats(min_value=1e-12, max_value=1 - 1e-12))
def test_a_share_that_is_neither_none_nor_all_never_reads_as_none_or_all(value: float) -> None:
    assert units.share(value) not in {"0 %", "0.00 %", "100 %", "100.00 %"}


def test_limits_are_shown_as_written_and_not_rounded_to_three_digits() -> None:
    assert units.exact_seconds(1.2345) == "1.2345 s"
    assert units.exact_seconds(2.0) == "2 s"
    assert units.exact_seconds(0.25) == "250 ms"


def test_rates_counts_and_sizes() -> None:
    assert units.rate(0.0) == "0/s"
    assert units.rate(39.04) == "39.0/s"
    assert units.rate(12345.6) == "12,346/s"
    assert units.rate(math.nan) == "–"
    assert units.count(12345) == "12,345"
    assert units.size(187_432_960) == "179 MiB"
    assert units.size(67_430_125_568) == "62.8 GiB"
    assert units.plural(1, "run") == "1 run"
    assert units.plural(3, "run") == "3 runs"
