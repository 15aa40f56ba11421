from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.heatmap import build_heatmap
from harness.measure.quantile import percentile
from harness.measure.record import Outcome
from harness.measure.series import ValuesByBin, build_series
from tests.harness.measure.build import record, records_of


def test_each_column_counts_by_its_own_clock() -> None:
    rows = [
        record(0, due=0.2, e2e=0.5),  # due, sent and ended in second 0
        record(1, due=0.9, e2e=1.5, delay=0.2),  # due in 0, sent in 1, ended in 2
        record(2, due=1.1, e2e=0.1, outcome=Outcome.REJECTED),
        record(3, due=1.2, outcome=Outcome.DROPPED),
    ]
    records = records_of(rows)
    series = build_series(records, records.ok, load_seconds=4.0)
    assert series.t == (0.0, 1.0, 2.0, 3.0)
    assert series.offered == (2, 2, 0, 0)
    assert series.sent == (1, 2, 0, 0)
    assert series.completed == (1, 1, 1, 0)
    assert series.ok == (1, 0, 1, 0)
    assert series.rejected == (0, 1, 0, 0)
    assert series.failed == (0, 1, 0, 0)
    assert series.in_flight == (0, 1, 0, 0)
    assert series.goodput == (2, 0, 0, 0)
    assert series.output_tokens == (5, 0, 5, 0)
    assert series.schedule_delay_p99[:2] == pytest.approx((0.2, 0.001))
    assert math.isnan(series.ttft_p50[2])


def test_percentiles_over_offered_and_over_successes_stand_side_by_side() -> None:
    rows = [record(0, 0.1, ttft=0.3), record(1, 0.2, outcome=Outcome.TIMEOUT, e2e=0.1)]
    records = records_of(rows)
    series = build_series(records, records.ok, 1.0)
    assert series.ttft_p99 == (math.inf,)
    assert series.ttft_ok_p99 == pytest.approx((0.3,))


def test_the_series_reaches_to_the_last_end() -> None:
    records = records_of([record(0, due=0.5, e2e=3.0)])
    assert len(build_series(records, records.ok, 1.0).t) == 4


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 9) | st.just(math.inf)), max_size=40),
    st.floats(0.01, 1),
)
def test_percentiles_of_bins_are_those_of_each_bin_alone(pairs: list[tuple[int, float]], q: float) -> None:
    bins = np.array([b for b, _ in pairs], dtype=np.int64)
    values = np.array([v for _, v in pairs], dtype=np.float64)
    by_bin = ValuesByBin(bins, values, 4)
    for index in range(4):
        mine = np.sort(values[bins == index])
        finite = mine[np.isfinite(mine)]
        assert by_bin.percentile(q)[index] == pytest.approx(percentile(mine, q), nan_ok=True)
        assert by_bin.percentile_of_finite(q)[index] == pytest.approx(percentile(finite, q), nan_ok=True)


def test_the_heatmap_holds_every_success_once_and_counts_the_others() -> None:
    rows = [record(i, due=i * 0.1, ttft=0.02 * (i + 1)) for i in range(50)]
    rows.append(record(50, due=4.9, outcome=Outcome.REJECTED))
    heatmap = build_heatmap(records_of(rows), 5)
    assert heatmap.time_edges_seconds == (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    assert [sum(column) for column in heatmap.counts] == [10] * 5
    assert heatmap.without_ttft == (0, 0, 0, 0, 1)
    assert heatmap.latency_edges_seconds[0] <= 0.02
    assert heatmap.latency_edges_seconds[-1] > 1.0
    assert len(heatmap.counts[0]) == len(heatmap.latency_edges_seconds) - 1


def test_a_long_run_has_at_most_240_columns() -> None:
    heatmap = build_heatmap(records_of([record(0, due=3599.0)]), 3600)
    assert len(heatmap.counts) == 240
    assert sum(heatmap.counts[-1]) == 1


def test_latencies_beyond_the_ladder_stay_in_the_last_row() -> None:
    heatmap = build_heatmap(records_of([record(0, due=0.0, ttft=500.0, e2e=501.0)]), 1)
    assert sum(heatmap.counts[0]) == 1
