from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.clock_sync import RoundTrip, best_reading
from harness.measure.worker_report import ClockReading, MasterClock

MS = 1_000_000


def trip(offset_ns: int, out_ns: int, back_ns: int, held_ns: int = 0, at_ns: int = 10_000 * MS) -> RoundTrip:
    """A question that takes ``out_ns``, is held ``held_ns``, and whose answer takes ``back_ns``."""
    asked = at_ns + offset_ns
    received = at_ns + out_ns
    answered = received + held_ns
    return RoundTrip(asked, received, answered, answered + back_ns + offset_ns)


def test_the_offset_is_exact_where_question_and_answer_take_as_long() -> None:
    assert trip(3_000 * MS, 2 * MS, 2 * MS).offset_ns == 3_000 * MS
    assert trip(-7 * MS, 2 * MS, 2 * MS, held_ns=50 * MS).offset_ns == -7 * MS


def test_what_the_master_takes_to_answer_is_no_delay() -> None:
    assert trip(0, 2 * MS, 3 * MS, held_ns=50 * MS).delay_ns == 5 * MS


def test_the_round_trip_with_the_least_delay_counts() -> None:
    trips = [trip(5 * MS, 9 * MS, 1 * MS), trip(5 * MS, 1 * MS, 1 * MS), trip(5 * MS, 1 * MS, 40 * MS)]
    reading = best_reading(trips)
    assert (reading.offset_ns, reading.uncertainty_ns) == (5 * MS, 1 * MS)


delays = st.integers(0, 10**9)


@given(st.integers(-(10**15), 10**15), st.lists(st.tuples(delays, delays, delays), min_size=1, max_size=5))
def test_the_true_offset_lies_within_the_uncertainty_whatever_the_delays(
    offset_ns: int, all_delays: list[tuple[int, int, int]]
) -> None:
    reading = best_reading([trip(offset_ns, out, back, held) for out, back, held in all_delays])
    assert abs(reading.offset_ns - offset_ns) <= reading.uncertainty_ns + 1


def test_drift_is_the_change_of_the_offset_over_the_time_between() -> None:
    start = ClockReading(at_ns=0, offset_ns=2 * MS, uncertainty_ns=MS)
    end = ClockReading(at_ns=100_000 * MS, offset_ns=7 * MS, uncertainty_ns=MS)
    clock = MasterClock(start, end)
    assert clock.drift_ns == 5 * MS
    assert clock.drift_ppm == pytest.approx(50)  # 5 ms in 100 s
    assert MasterClock(start).drift_ppm is None
