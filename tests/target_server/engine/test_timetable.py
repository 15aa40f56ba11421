from __future__ import annotations

import pytest

from target_server.engine.timetable import Course, ScriptedTimetable


def test_the_line_is_read_into_seconds_and_counts() -> None:
    table = ScriptedTimetable.parse("ttft=50ms, gap=1.5ms,slots=8,queue=0,fail=0.01,stall=12:5s,truncate=40")
    assert table == ScriptedTimetable(
        ttft_seconds=0.05,
        gap_seconds=0.0015,
        slots=8,
        queue_limit=0,
        fail_rate=0.01,
        stall_at=12,
        stall_seconds=5.0,
        truncate_at=40,
    )


def test_an_empty_line_is_the_default() -> None:
    assert ScriptedTimetable.parse("") == ScriptedTimetable()


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("speed=9", "unknown key 'speed'; allowed: ttft, gap"),
        ("ttft=50", "ttft=50; allowed: a duration such as 50ms"),
        ("slots=0", "slots=0; allowed: a whole number from 1"),
        ("queue=-1", "queue=-1; allowed: a whole number from 0"),
        ("fail=1.5", "fail=1.5; allowed: a share from 0 to 1"),
        ("stall=12", "stall=12; allowed: TOKENS:DURATION such as 12:5s"),
        ("gap", "gap=; allowed: a duration"),
    ],
)
def test_a_mistake_is_answered_with_key_given_and_allowed(line: str, part: str) -> None:
    with pytest.raises(ValueError, match="timetable: ") as mistake:
        ScriptedTimetable.parse(line)
    assert part in str(mistake.value)


def test_tokens_are_due_at_ttft_then_one_gap_apart_and_late_after_the_stall() -> None:
    table = ScriptedTimetable(ttft_seconds=1.0, gap_seconds=0.25, stall_at=2, stall_seconds=10.0)
    assert [table.due_seconds(token) for token in range(4)] == [1.0, 1.25, 11.5, 11.75]


def test_the_answer_is_capped_by_max_tokens_and_ignore_eos_goes_up_to_it() -> None:
    table = ScriptedTimetable(tokens=10)
    assert table.course(1, 4, False) == Course(4, "finish")
    assert table.course(1, 40, False) == Course(10, "finish")
    assert table.course(1, 40, True) == Course(40, "finish")


def test_faults_strike_only_answers_that_are_long_enough() -> None:
    assert ScriptedTimetable(truncate_at=4).course(1, 5, False) == Course(4, "truncate")
    assert ScriptedTimetable(truncate_at=4).course(1, 4, False) == Course(4, "finish")
    assert ScriptedTimetable(error_at=2).course(1, 5, False) == Course(2, "error")


def test_fail_at_names_one_request() -> None:
    table = ScriptedTimetable(fail_at=3)
    assert [table.course(number, 5, False).ending for number in range(1, 5)] == [
        "finish",
        "finish",
        "error",
        "finish",
    ]


def test_the_fail_rate_is_met_and_repeats_with_the_seed() -> None:
    def failed(seed: int) -> list[int]:
        table = ScriptedTimetable(fail_rate=0.1, seed=seed)
        return [n for n in range(10_000) if table.course(n, 5, False).ending == "error"]

    assert 900 < len(failed(0)) < 1100
    assert failed(0) == failed(0) != failed(1)
