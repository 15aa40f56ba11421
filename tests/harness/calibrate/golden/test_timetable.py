from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.calibrate.golden.timetable import Delay, Timetable, drawn

MS = 1_000_000
durations_ns = st.integers(0, 3_600_000_000_000)
delays = st.builds(Delay, durations_ns, st.sampled_from([0.0, 0.05, 0.5, 2.0]))
counts = st.none() | st.integers(1, 1_000_000)
timetables = st.builds(
    Timetable,
    ttft=delays,
    gap=delays,
    tokens=counts,
    stalls=st.lists(st.tuples(st.integers(1, 1_000_000), durations_ns), max_size=3).map(tuple),
    status=st.sampled_from([200, 400, 429, 500, 503]),
    truncate_after=counts,
    reset_after=counts,
)


def test_the_line_is_read_into_nanoseconds_and_counts() -> None:
    line = "ttft=20ms, gap=lognormal(10ms,0.5),tokens=64,stall=32:400ms,stall=40:1.5s,truncate=50,reset=60"
    assert Timetable.parse(line) == Timetable(
        ttft=Delay(20 * MS),
        gap=Delay(10 * MS, 0.5),
        tokens=64,
        stalls=((32, 400 * MS), (40, 1500 * MS)),
        truncate_after=50,
        reset_after=60,
    )


def test_an_empty_line_is_the_default() -> None:
    assert Timetable.parse("") == Timetable()


def test_a_requests_line_changes_only_what_it_names() -> None:
    default = Timetable.parse("ttft=50ms,tokens=7,stall=2:1s")
    assert Timetable.parse("status=503", default) == Timetable.parse(
        "ttft=50ms,tokens=7,stall=2:1s,status=503"
    )
    assert Timetable.parse("stall=3:2s", default).stalls == ((3, 2000 * MS),)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("speed=9", "unknown key 'speed'; allowed: ttft, gap, tokens, stall, status, truncate, reset"),
        (
            "ttft=20",
            "ttft=20; allowed: a duration up to an hour, such as 10ms or 1.5s or lognormal(10ms,0.5)",
        ),
        ("gap=lognormal(10ms)", "gap=lognormal(10ms); allowed: a duration"),
        ("gap=lognormal(10ms,9)", "allowed: a sigma from 0 to 5"),
        ("ttft=2000000s", "ttft=2000000s; allowed: a duration up to an hour"),
        ("tokens=0", "tokens=0; allowed: a whole number from 1 to 1000000"),
        ("stall=400ms", "stall=400ms; allowed: TOKEN:DURATION such as 32:400ms"),
        ("status=299", "status=299; allowed: 200 or an error's"),
        ("truncate=-1", "truncate=-1; allowed: a whole number from 0"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_key_and_what_is_allowed(line: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"^timetable: ") as caught:
        Timetable.parse(line)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@given(timetables)
def test_what_is_written_reads_back_as_the_same_value(timetable: Timetable) -> None:
    assert Timetable.parse(str(timetable)) == timetable


@given(st.text(max_size=60))
def test_any_text_is_a_timetable_or_a_sentence(text: str) -> None:
    assert _told(text).startswith("timetable: ")


def test_tokens_are_due_after_the_first_by_their_gaps_and_a_stall_shifts_all_after_it() -> None:
    timetable = Timetable.parse("ttft=20ms,gap=10ms,stall=3:400ms")
    assert timetable.offsets_ns(4, position=5) == [20 * MS, 30 * MS, 440 * MS, 450 * MS]


def test_a_stall_at_token_one_delays_the_first_token() -> None:
    assert Timetable.parse("ttft=20ms,stall=1:1s").offsets_ns(1, 0) == [1020 * MS]


@given(st.integers(0, 100_000), st.integers(1, 50))
def test_a_requests_timetable_follows_from_its_position_alone(position: int, tokens: int) -> None:
    timetable = Timetable.parse("gap=lognormal(10ms,0.5)")
    offsets = timetable.offsets_ns(tokens, position)
    assert offsets == timetable.offsets_ns(tokens, position)
    assert offsets == sorted(offsets)
    assert len(offsets) == tokens


def test_a_lognormal_delay_has_its_median_and_its_spread() -> None:
    values = np.array(drawn(Delay(10 * MS, 0.5)))
    # Of 8192 draws the median's standard error is 1.25 · 0.5 ÷ √8192 = 0.7 %, that of sigma 0.5 ÷ √16384.
    assert np.median(values) == pytest.approx(10 * MS, rel=0.03)
    assert np.log(values).std() == pytest.approx(0.5, abs=0.016)


def _told(text: str) -> str:
    try:
        return f"timetable: {Timetable.parse(text)}"
    except ValueError as error:
        return str(error)
