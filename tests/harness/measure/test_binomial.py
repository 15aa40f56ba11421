from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measure.binomial import cdf, clopper_pearson, rank_bounds
from harness.measure.quantile import order_statistic_interval


def exactly_at_most(k: int, n: int, p: float) -> float:
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@given(st.integers(1, 60), st.floats(0.01, 0.99))
@settings(deadline=None)
def test_the_distribution_is_the_sum_of_its_terms(n: int, p: float) -> None:
    first, below = cdf(n, p)
    for offset, value in enumerate(below):
        assert value == pytest.approx(exactly_at_most(first + offset, n, p), abs=1e-12)


def test_p99_needs_368_samples() -> None:
    assert order_statistic_interval(367, 0.99) is None
    assert order_statistic_interval(368, 0.99) == (360, 368)


def test_the_median_needs_6_samples() -> None:
    assert order_statistic_interval(5, 0.5) is None
    assert order_statistic_interval(6, 0.5) == (1, 6)


def test_the_median_of_100_lies_between_the_40th_and_the_61st() -> None:
    assert order_statistic_interval(100, 0.5) == (40, 61)  # the textbook's ranks


@given(st.integers(1, 300), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
@settings(deadline=None)
def test_the_ranks_leave_at_most_two_and_a_half_percent_at_each_side(n: int, q: float) -> None:
    low, high = rank_bounds(n, q)
    if low is not None:
        assert exactly_at_most(low - 1, n, q) <= 0.025 + 1e-12
        assert exactly_at_most(low, n, q) > 0.025
    if high is not None:
        assert 1 - exactly_at_most(high - 1, n, q) <= 0.025 + 1e-12
        assert high == 1 or 1 - exactly_at_most(high - 2, n, q) > 0.025


def test_a_million_samples_have_ranks_within_three_standard_deviations() -> None:
    low, high = rank_bounds(1_000_000, 0.99)
    assert low is not None
    assert high is not None
    assert 990_000 - low == pytest.approx(1.96 * math.sqrt(1e6 * 0.99 * 0.01), rel=0.02)
    assert high - 990_000 == pytest.approx(1.96 * math.sqrt(1e6 * 0.99 * 0.01), rel=0.02)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (0, 10, 0.0, 1 - 0.025**0.1),  # closed form: 1 − (α/2)^(1/n)
        (10, 10, 0.025**0.1, 1.0),
        (5, 10, 0.187086, 0.812914),  # Clopper and Pearson's own table
        (1, 100, 0.000253, 0.054459),
    ],
)
def test_clopper_pearson_by_hand(successes: int, n: int, low: float, high: float) -> None:
    assert clopper_pearson(successes, n) == pytest.approx((low, high), abs=2e-6)


def test_clopper_pearson_of_a_million_is_the_normal_interval() -> None:
    low, high = clopper_pearson(990_000, 1_000_000)
    half = 1.96 * math.sqrt(0.99 * 0.01 / 1e6)
    assert (low, high) == pytest.approx((0.99 - half, 0.99 + half), abs=2e-6)


def test_no_samples_say_nothing() -> None:
    assert rank_bounds(0, 0.99) == (None, None)
    assert clopper_pearson(0, 0) == (0.0, 1.0)
