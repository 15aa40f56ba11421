from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure import bootstrap
from harness.measure.bootstrap import Stratum
from harness.measure.quantile import (
    Estimate,
    gap_quantile_estimate,
    nearest_rank,
    percentile,
    quantile_estimate,
    rate_estimate,
    share_estimate,
)
from harness.measure.stages import Seconds, Window, strata
from tests.harness.measure.build import histogram_of, record, records_of


def test_nearest_rank_is_the_ceiling_of_q_n() -> None:
    assert [nearest_rank(100, q) for q in (0.5, 0.99, 0.999, 1.0, 0.0)] == [50, 99, 100, 100, 1]
    assert nearest_rank(100, 0.07) == 7  # 0.07 · 100 is 7.000000000000001 in binary


def test_p99_of_two_workers_is_the_p99_of_their_merged_samples() -> None:
    # Worker 0: 1 … 100 ms; worker 1: 101 … 200 ms. P99 of the 200 values is the 198th: 198 ms.
    # The mean of the two workers' P99 (99 and 199 ms) would be 149 ms.
    rows = [record(i, due=i * 0.01, ttft=(i + 1) / 1000, e2e=1.0, worker=i // 100) for i in range(200)]
    assert percentile(np.sort(records_of(rows).ttft_seconds), 0.99) == pytest.approx(0.198)


def test_failures_are_infinite_and_cannot_improve_a_percentile() -> None:
    values = np.array([0.1] * 97 + [math.inf] * 3)
    assert percentile(np.sort(values), 0.97) == 0.1
    assert percentile(np.sort(values), 0.98) == math.inf


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_a_percentile_is_one_of_the_values_and_bounds_its_share(values: list[float], q: float) -> None:
    x = percentile(np.sort(np.array(values)), q)
    assert x in values
    assert sum(value <= x for value in values) >= q * len(values) - 1e-6


def test_an_undefined_value_is_left_out_of_the_sample() -> None:
    window = Window("a", 0.0, 1.0)
    (only,) = strata(np.array([math.nan, 0.2, math.nan]), np.zeros(3, np.uint8), [window])
    estimate = quantile_estimate([only], 0.5)
    assert (estimate.measured, estimate.n) == (0.2, 1)


def test_no_values_give_no_estimate() -> None:
    assert quantile_estimate([], 0.99).n == 0
    assert math.isnan(percentile(np.array([]), 0.99))


def test_too_few_samples_leave_the_upper_side_open() -> None:
    estimate = estimate_of(np.linspace(0.1, 0.2, 367), 0.99)
    assert estimate.high == math.inf
    assert estimate.low > 0.1
    assert estimate_of(np.linspace(0.1, 0.2, 368), 0.99).high == pytest.approx(0.2)


def estimate_of(values: np.ndarray, q: float, seed: int = 0) -> Estimate:
    return quantile_estimate([Stratum(values, 60.0)], q, seed)


def one_stage(widths: list[float]) -> Seconds:
    return Seconds(np.zeros(0, np.int64), np.array(widths), np.zeros(len(widths), np.int64))


def coverage(draw: object, true: float, q: float, rounds: int = 80) -> float:
    assert callable(draw)
    hits = 0
    for seed in range(rounds):
        estimate = estimate_of(draw(np.random.default_rng(seed)), q, seed)
        hits += estimate.low <= true <= estimate.high
    return hits / rounds


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
def test_the_interval_of_independent_samples_covers_the_truth_95_times_in_100(q: float) -> None:
    true = -math.log(1 - q)
    assert coverage(lambda rng: rng.exponential(1.0, 500), true, q) >= 0.93


def test_the_interval_of_correlated_samples_covers_the_truth_where_order_statistics_alone_do_not() -> None:
    # Each level lasts for 20 arrivals: 1000 samples are worth 50.
    def draw(rng: np.random.Generator) -> np.ndarray:
        return np.repeat(rng.exponential(1.0, 50), 20)

    assert coverage(draw, math.log(2), 0.5) >= 0.85
    widths = []
    for seed in range(10):
        values = draw(np.random.default_rng(seed))
        estimate = estimate_of(values, 0.5, seed)
        shuffled = estimate_of(np.random.default_rng(1).permutation(values), 0.5, seed)
        widths.append((estimate.high - estimate.low) / (shuffled.high - shuffled.low))
    assert np.median(widths) > 2


def test_the_ladder_gives_the_same_interval_as_sorting_every_resample() -> None:
    rng = np.random.default_rng(5)
    values = rng.exponential(1.0, 120)
    block = bootstrap.block_length(120, 24.0)
    assert block == 5
    one = Stratum(values, 24.0)
    low, high = bootstrap.quantile_interval([one], np.sort(values), 0.9, seed=3)
    picks = np.random.default_rng(3).integers(0, 120 - block + 1, (bootstrap.RESAMPLES, 24))
    resamples = values[picks[:, :, None] + np.arange(block)].reshape(bootstrap.RESAMPLES, -1)
    quantiles = np.sort(np.sort(resamples, axis=1)[:, nearest_rank(120, 0.9) - 1])
    true_low, true_high = quantiles[math.floor(0.025 * 399)], quantiles[math.ceil(0.975 * 399)]
    step = 0.15 * (true_high - true_low)
    assert true_low - step <= low <= true_low
    assert true_high <= high <= true_high + step


def test_a_stage_that_is_bad_by_design_does_not_widen_the_interval_of_the_whole_run() -> None:
    # 30 calm seconds that all meet the objective and 30 of a spike that all miss it: the share is 0.5, and
    # nothing in it is accident. Blocks drawn from both alike would call it anything from 0.35 to 0.65.
    good, offered = np.repeat([100.0, 0.0], 30), np.full(60, 100.0)
    apart = Seconds(np.zeros(0, np.int64), np.ones(60), np.repeat([0, 1], 30))
    estimate = share_estimate(good, offered, apart)
    assert estimate.high - estimate.low < 0.03
    assert share_estimate(good, offered, one_stage([1.0] * 60)).high > 0.6


def test_stages_keep_their_weights_in_every_resample() -> None:
    # Blocks are 10 long, so 8 and 3 of them are drawn: without scaling calm would weigh 80 ÷ 110 = 0.73.
    calm, spike = Stratum(np.full(75, 0.1), 7.5), Stratum(np.full(25, 2.0), 2.5)
    ascending = np.sort(np.concatenate([calm.values, spike.values]))
    assert bootstrap.quantile_interval([calm, spike], ascending, 0.74) == (0.1, 0.1)
    assert bootstrap.quantile_interval([calm, spike], ascending, 0.76) == (2.0, 2.0)


def test_a_block_holds_one_second_of_arrivals_or_the_cube_root_of_the_sample() -> None:
    assert bootstrap.block_length(1000, 100.0) == 10  # both are 10
    assert bootstrap.block_length(1000, 10.0) == 100
    assert bootstrap.block_length(8000, 80_000.0) == 20
    assert bootstrap.block_length(1, 10.0) == 1


def test_a_share_has_at_least_the_exact_interval() -> None:
    estimate = share_estimate(np.full(10, 10.0), np.full(10, 10.0), one_stage([1.0] * 10))
    assert (estimate.measured, estimate.high, estimate.n) == (1.0, 1.0, 100)
    assert estimate.low == pytest.approx(0.025 ** (1 / 100), abs=1e-6)


def test_failures_in_one_burst_widen_a_share_more_than_the_same_failures_spread_out() -> None:
    offered = np.full(60, 100.0)
    burst, spread = offered.copy(), offered - 5
    burst[20:23] = 0
    minute = one_stage([1.0] * 60)
    narrow, wide = share_estimate(spread, offered, minute), share_estimate(burst, offered, minute)
    assert narrow.measured == wide.measured == 0.95
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_goodput_is_good_requests_over_the_whole_window() -> None:
    estimate = rate_estimate(np.array([4.0, 4.0, 2.0]), 12, one_stage([1.0, 1.0, 0.5]))
    assert estimate.measured == 4.0
    assert estimate.low < 4.0 < estimate.high
    assert estimate.n == 12


def test_gaps_of_streams_at_once_count_as_one_observation() -> None:
    gaps = histogram_of([0.01] * 990 + [0.5] * 10)
    alone = gap_quantile_estimate(gaps, 0.95, lost_gaps=0, streams_at_once=1.0)
    crowd = gap_quantile_estimate(gaps, 0.95, lost_gaps=0, streams_at_once=20.0)
    assert alone.measured == crowd.measured == pytest.approx(0.01, rel=0.01)
    assert alone.high == pytest.approx(0.01, rel=0.01)
    assert crowd.high == math.inf  # 1000 ÷ 20 = 50 samples have no upper rank for P95


def test_lost_gaps_are_infinite() -> None:
    gaps = histogram_of([0.01] * 98)
    assert gap_quantile_estimate(gaps, 0.99, lost_gaps=2, streams_at_once=1.0).measured == math.inf
    assert gap_quantile_estimate(gaps, 0.98, lost_gaps=2, streams_at_once=1.0).measured < 0.011
