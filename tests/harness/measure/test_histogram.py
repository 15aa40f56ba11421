from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.histogram import RELATIVE_ERROR, LogHistogram
from tests.harness.measure.build import histogram_of

durations = st.lists(st.integers(0, 10**13), min_size=1, max_size=200)


def of_ns(values: list[int]) -> LogHistogram:
    histogram = LogHistogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(durations, st.floats(0.0, 1.0))
def test_a_quantile_is_within_one_percent_of_the_order_statistic(values: list[int], q: float) -> None:
    rank = max(1, math.ceil(q * len(values) - 1e-9))
    true = sorted(values)[rank - 1] / 1e9
    assert RELATIVE_ERROR < 0.01
    assert of_ns(values).quantile(q) == pytest.approx(true, rel=RELATIVE_ERROR, abs=1e-15)


@given(durations, durations)
def test_the_merge_of_two_histograms_is_the_histogram_of_the_merged_samples(
    a: list[int], b: list[int]
) -> None:
    merged = of_ns(a)
    merged.merge(of_ns(b))
    assert merged == of_ns(a + b)
    assert merged.count == len(a) + len(b)


@given(st.lists(st.integers(0, 2**63 - 1), max_size=100))
def test_adding_an_array_counts_as_adding_each_value(values: list[int]) -> None:
    histogram = LogHistogram()
    histogram.add_many(np.array(values, dtype=np.int64))
    assert histogram == of_ns(values)


@pytest.mark.parametrize("exponent", range(7, 63))
def test_powers_of_two_and_their_neighbours_fall_into_the_same_bucket_by_both_ways(exponent: int) -> None:
    values = [2**exponent - 1, 2**exponent, 2**exponent + 1]
    histogram = LogHistogram()
    histogram.add_many(np.array(values, dtype=np.int64))
    assert histogram == of_ns(values)


@given(durations)
def test_json_round_trip(values: list[int]) -> None:
    histogram = of_ns(values)
    assert LogHistogram.from_dict(json.loads(json.dumps(histogram.to_dict()))) == histogram


def test_hand_worked_quantiles() -> None:
    histogram = histogram_of([0.010] * 98 + [0.5, 2.0])
    assert histogram.quantile(0.5) == pytest.approx(0.010, rel=RELATIVE_ERROR)
    assert histogram.quantile(0.99) == pytest.approx(0.5, rel=RELATIVE_ERROR)
    assert histogram.quantile(1.0) == pytest.approx(2.0, rel=RELATIVE_ERROR)
    assert histogram.max_seconds == 2.0
    assert histogram.mean_seconds == pytest.approx((98 * 0.010 + 2.5) / 100, rel=RELATIVE_ERROR)


def test_an_empty_histogram_has_no_quantile() -> None:
    assert math.isnan(LogHistogram().quantile(0.99))
    assert math.isnan(LogHistogram().mean_seconds)


def test_a_negative_duration_counts_as_zero() -> None:
    histogram = of_ns([-5, 100])
    assert histogram.quantile(0.5) == 0.0
    assert histogram.count == 2


def test_below_128_ns_values_are_exact() -> None:
    assert [of_ns([value]).quantile(0.5) for value in range(128)] == [value / 1e9 for value in range(128)]


def test_another_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="precision is 3 bits"):
        LogHistogram.from_dict({"precision_bits": 3, "max_ns": 0, "buckets": [], "counts": []})
