from __future__ import annotations

import numpy as np
import pytest

from harness.calibrate.climb import highest_good
from harness.calibrate.golden.truth import Truth
from harness.calibrate.rungs import (
    LadderTop,
    Rung,
    added_gap,
    added_ttft,
    lateness_of,
    most_open,
    target_held,
    top_of,
)
from harness.measure.floor import Lateness, Spread
from harness.measure.histogram import LogHistogram
from harness.measure.record import Outcome
from tests.harness.measure.build import record, records_of

MS = 1_000_000


def trace(seq: int) -> str:
    return f"{seq:032x}"


def truth_of(first_writes_ms: dict[int, float], due_ms: float = 20) -> Truth:
    """Return a truth in which request seq arrived at 0 and its first token was written then; −1: never."""
    count = len(first_writes_ms)
    written = [round(at * MS) if at >= 0 else -1 for at in first_writes_ms.values()]
    return Truth(
        arrived_ns=np.zeros(count, np.int64),
        first_due_ns=np.full(count, round(due_ms * MS), np.int64),
        first_write_ns=np.array(written, np.int64),
        last_write_ns=np.array(written, np.int64),
        tokens=np.ones(count, np.int64),
        status=np.full(count, 200, np.int64),
        trace_id=np.array([trace(seq) for seq in first_writes_ms]),
        gaps=LogHistogram(),
        pace=LogHistogram(),
    )


def test_what_is_added_is_the_clients_ttft_minus_the_targets_request_by_request() -> None:
    # Client: 21, 23, 25 ms; target, in another order: 20, 21, 22 ms → added 1, 2, 3 ms.
    records = records_of([record(0, 0.0, ttft=0.021), record(1, 0.0, ttft=0.023), record(2, 0.0, ttft=0.025)])
    added = added_ttft(records, truth_of({2: 22, 0: 20, 1: 21}))
    assert (added.p50_seconds, added.p99_seconds) == (pytest.approx(0.002), pytest.approx(0.003))


def test_requests_that_only_one_side_knows_add_nothing() -> None:
    records = records_of([record(0, 0.0, ttft=0.021), record(1, 0.0, ttft=0.09)])
    assert added_ttft(records, truth_of({0: 20, 7: 20})).p99_seconds == pytest.approx(0.001)


def test_an_arrival_that_was_never_sent_is_infinitely_late() -> None:
    unsent = record(1, 0.0, outcome=Outcome.CANCELLED)
    lateness = lateness_of(records_of([record(0, 0.0, delay=0.002), unsent]), 50.0)
    assert lateness == Lateness(50.0, 2, pytest.approx(0.002), np.inf, np.inf)


def test_a_target_that_writes_more_than_20_ms_after_its_timetable_did_not_hold() -> None:
    records = records_of([record(0, 0.0), record(1, 0.0)])
    assert target_held(records, truth_of({0: 20, 1: 39}))
    assert not target_held(records, truth_of({0: 20, 1: 41}))
    assert not target_held(records, truth_of({0: 20, 1: -1}))


def test_the_added_gap_is_the_difference_of_the_percentiles_and_at_least_a_buckets_width() -> None:
    true, seen = LogHistogram(), LogHistogram()
    true.add_many(np.full(100, 2 * MS))
    seen.add_many(np.concatenate([np.full(90, 2 * MS), np.full(10, 3 * MS)]))
    added = added_gap(seen, true)
    assert added.p50_seconds == pytest.approx(2e-3 / 64, rel=0.01)  # equal, within what 64 buckets can tell
    assert added.p99_seconds == pytest.approx(1e-3, rel=0.03)


def test_no_gaps_add_nothing_that_is_known() -> None:
    added = added_gap(LogHistogram(), LogHistogram())
    assert np.isnan([added.p50_seconds, added.p99_seconds]).all()
    assert isinstance(added, Spread)


def rung(rate: float, *, clean: bool = True, target_held: bool = True) -> Rung:
    return Rung(rate, rate * 0.9, Lateness(rate, 100, 0, 0, 0), clean, target_held)


def test_a_ladder_ends_below_the_rung_that_the_harness_did_not_hold() -> None:
    assert top_of([rung(100), rung(200), rung(400, clean=False)]) == LadderTop(180, False, 200, 400)


def test_a_bad_rung_below_a_good_one_had_bad_luck() -> None:
    assert top_of([rung(100), rung(200, clean=False), rung(400), rung(800, clean=False)]).value == 360


def test_a_ladder_that_the_target_ends_says_at_least() -> None:
    assert top_of([rung(100), rung(200, target_held=False)]) == LadderTop(90, True, 100, 200)
    assert top_of([rung(100), rung(200, clean=False, target_held=False)]).at_least
    assert top_of([rung(100), rung(200)]) == LadderTop(180, True, 200, 200)


def test_a_ladder_without_a_good_rung_has_no_top() -> None:
    assert top_of([rung(100, clean=False)]) == LadderTop(0, False, 0, 100)


def test_the_most_open_requests_are_counted_by_their_instants() -> None:
    # At 10 s the first ends as the third begins, so that two are open; from 12 s on there are three.
    spans = [(0, 10), (5, 15), (10, 20), (12, 13)]
    rows = [record(i, start, delay=0, e2e=end - start) for i, (start, end) in enumerate(spans)]
    assert most_open(records_of(rows)) == 3
    assert most_open(records_of(rows[:3])) == 2
    assert most_open(records_of([])) == 0


def tries(limit: float) -> tuple[list[float], object]:
    tried: list[float] = []

    def try_rate(rate: float) -> float | None:
        tried.append(rate)
        return rate if rate <= limit else None

    return tried, try_rate


def test_the_climb_halves_what_is_unknown_until_both_bounds_are_within_ten_percent() -> None:
    tried, try_rate = tries(150)
    best = highest_good(100, 200, try_rate, lambda: True)  # type: ignore[arg-type]
    assert 150 / 1.1 <= best <= 150
    assert tried[0] == 100
    assert tried[1] == pytest.approx(141.4, abs=0.1)  # √(100 · 200)


def test_the_climb_steps_back_from_a_hope_that_fails() -> None:
    tried, try_rate = tries(50)
    best = highest_good(100, 200, try_rate, lambda: len(tried) < 3)  # type: ignore[arg-type]
    assert tried == pytest.approx([100, 60, 36])
    assert best == pytest.approx(36)


def test_a_climb_without_time_finds_nothing() -> None:
    assert highest_good(100, 200, lambda rate: rate, lambda: False) == 0
