from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from harness.measure.attainment import meets_all
from harness.measure.backlog import build_backlog
from harness.measure.flash_sale import flash_sale
from harness.measure.record import Outcome, RequestRecord
from harness.measure.recovery import SlidingAttainment
from harness.measure.spike import spike_times
from harness.measure.summary import FlashSale
from harness.scenario.model import Decay, Ramp, Scenario, Stage
from tests.harness.measure.build import objective, per_second, record, records_of, scenario_of, stage

CALM_SPIKE_CALM = scenario_of(
    stage("calm", 20), stage("spike", 10, 100), stage("after", 30), spike=("spike", "calm")
)
TTFT = objective("ttft", 1.0, 99)


def sale(ttft_at: Callable[[float], float | None]) -> FlashSale:
    """Return the results of ten requests a second for a minute; a TTFT of None is a refusal."""
    rows = []
    for seq in range(600):
        due = seq / 10
        index = 0 if due < 20 else 1 if due < 30 else 2
        rows.append(_answer(seq, due, index, ttft_at(due)))
    return results(rows)


def _answer(seq: int, due: float, index: int, ttft: float | None) -> RequestRecord:
    if ttft is None:
        return record(seq, due, stage=index, e2e=0.01, outcome=Outcome.REJECTED)
    return record(seq, due, stage=index, ttft=ttft, e2e=ttft)


def results(rows: list[RequestRecord], scenario: Scenario = CALM_SPIKE_CALM) -> FlashSale:
    records, names = records_of(rows), [s.name for s in scenario.stages]
    times = spike_times(scenario)
    assert times is not None
    return flash_sale(records, meets_all(records, [TTFT], names), [TTFT], names, times)


def test_a_sale_that_hurts_nobody_recovers_and_drains_at_once() -> None:
    result = sale(lambda due: 0.05)
    assert result.time_to_first_breach_seconds == math.inf
    assert (result.drain_seconds, result.recover_seconds, result.shed_share) == (0.0, 0.0, 0.0)
    assert (result.baseline_backlog, result.peak_backlog) == (1, 1)
    assert result.baseline_attainment == 1.0


def test_times_of_a_sale_by_hand() -> None:
    # TTFT is 5 s for requests due from 23.0 s to before 36.0 s, and 50 ms for all others.
    result = sale(lambda due: 5.0 if 23.0 <= due < 36.0 else 0.05)
    assert (result.spike_start_seconds, result.spike_end_seconds) == (20.0, 30.0)
    assert result.time_to_first_breach_seconds == 3.0
    # Backlog: 10 a second for 5 s is 50, and a request that is just answered beside them.
    assert result.peak_backlog in (50, 51)
    assert 27.8 <= result.peak_backlog_at_seconds <= 36.1
    # The last slow one, due at 35.9 s, ends at 40.9 s; the one before leaves 1 at 40.8 s; calm keeps ≤ 1.
    assert result.drain_seconds == pytest.approx(10.8, abs=0.11)
    assert result.recover_seconds == 6.0
    assert result.shed_share == 0.0


def test_a_sale_that_never_recovers_is_infinite_and_says_how_long_it_was_watched() -> None:
    result = sale(lambda due: 5.0 if due >= 23.0 else 0.05)
    assert result.recover_seconds == math.inf
    assert result.recover_observed_seconds == 25.0  # 60 − 5 − 30


def test_five_good_seconds_are_needed() -> None:
    result = sale(lambda due: 5.0 if 25 <= due < 31 or 35.5 <= due < 40 else 0.05)
    assert result.recover_seconds == 10.0  # 31 to 35.5 s is too short


def test_attainment_slides_over_three_seconds_by_due_time() -> None:
    due, good = np.arange(6.0), np.array([True, False, False, True, True, True])
    shares = SlidingAttainment(due, good).at(np.array([0.0, 0.5, 2.0, 3.0, 5.0, 6.0]))
    assert shares[:5] == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1.0, 1.0])
    assert math.isnan(shares[5])  # nothing was due


def test_the_usual_backlog_is_kept_to_for_95_percent_of_the_time() -> None:
    def usual(second_lasts: float) -> int:
        rows = [record(0, 0.0, e2e=10.0), record(1, 9.0, e2e=second_lasts)]
        return build_backlog(records_of(rows)).usual_in(0.0, 10.0)

    assert (usual(0.4), usual(0.8)) == (1, 2)


def test_a_refusal_is_a_breach_and_counts_as_shed() -> None:
    result = sale(lambda due: None if 22.0 <= due < 24.0 else 0.05)
    assert result.time_to_first_breach_seconds == 2.0
    assert result.shed_share == pytest.approx(20 / 100)


def test_a_baseline_with_its_own_misses_is_the_level_to_come_back_to() -> None:
    # Every tenth calm request misses: 3 of 30 in any 3 s window, so the level is 0.9.
    result = sale(lambda due: 5.0 if (due < 20 and round(due * 10) % 10 == 0) or 20 <= due < 33 else 0.05)
    assert result.baseline_attainment == pytest.approx(0.9)
    assert result.recover_seconds == pytest.approx(3.0, abs=0.5)


def test_a_baseline_that_never_met_the_objectives_has_no_recovery() -> None:
    assert math.isnan(sale(lambda due: 5.0 if due < 20 else 0.05).recover_seconds)


def test_the_spike_ends_when_the_rate_begins_to_fall() -> None:
    def end_of(*after: Stage, first: Stage | None = None) -> float:
        calm = stage("calm", 10)
        scenario = scenario_of(calm, first or stage("spike", 5, 100), *after, spike=("spike", "calm"))
        times = spike_times(scenario)
        assert times is not None
        return times.end_seconds

    decay = Decay(from_=per_second(100), to=per_second(10), half_life=5.0)
    up = Ramp(from_=per_second(10), to=per_second(100))
    down = Ramp(from_=per_second(100), to=per_second(10))
    assert end_of(stage("after", 10)) == 15.0
    assert end_of(stage("fall", 10, decay=decay)) == 15.0
    assert end_of(stage("plateau", 7, 100), stage("fall", 10, ramp=down)) == 22.0
    assert end_of(stage("plateau", 7, 100), first=stage("spike", 5, ramp=up)) == 22.0
    assert end_of(first=stage("spike", 5, decay=decay)) == 10.0


def test_a_scenario_without_a_spike_has_no_times() -> None:
    assert spike_times(scenario_of(stage("a", 1))) is None


def test_a_falling_spike_counts_what_was_refused_in_its_own_stage() -> None:
    decay = Decay(from_=per_second(100), to=per_second(10), half_life=5.0)
    scenario = scenario_of(stage("calm", 10), stage("spike", 10, decay=decay), spike=("spike", "calm"))
    rows = [_answer(i, i * 1.0, int(i >= 10), None if i in (12, 13) else 0.05) for i in range(20)]
    assert results(rows, scenario).shed_share == pytest.approx(0.2)


def test_the_backlog_is_exact_between_events() -> None:
    rows = [record(0, 1.0, e2e=2.0), record(1, 2.0, e2e=2.0), record(2, 2.0, outcome=Outcome.DROPPED)]
    backlog = build_backlog(records_of(rows))
    assert backlog.at_seconds.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert backlog.level.tolist() == [1, 2, 1, 0]  # the dropped one never waits
    assert backlog.peak_from(0.0) == (2, 2.0)
    assert backlog.first_at_most(0, from_seconds=2.5) == 4.0
    assert backlog.first_at_most(2, from_seconds=2.5) == 2.5
