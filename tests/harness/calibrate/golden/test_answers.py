"""An answer's table of first delays is the timetable's own arithmetic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.calibrate.golden.answers import Ask, answer_of, first_delays_ns
from harness.calibrate.golden.timetable import Timetable

LINES = (
    "ttft=20ms,gap=10ms",
    "ttft=lognormal(5ms,1),gap=1ms,stall=1:7ms",
    "ttft=1ms,gap=lognormal(3ms,0.5),stall=4:1s",
)


@given(st.sampled_from(LINES), st.integers(0, 70_000), st.integers(1, 20_000))
def test_an_answer_in_one_piece_is_due_when_its_last_token_would_be(
    line: str, position: int, tokens: int
) -> None:
    timetable = Timetable.parse(line)
    table = first_delays_ns(timetable, tokens)
    assert table[position % len(table)] == timetable.offsets_ns(tokens, position)[-1]
    assert len(table) & (len(table) - 1) == 0


def test_stalls_come_in_the_order_of_their_tokens_and_the_last_of_a_token_counts() -> None:
    timetable = Timetable.parse("stall=9:1ms,stall=2:5ns,stall=9:3ns")
    assert answer_of(timetable, Ask("chat", True, 20, False)).stalls.tolist() == [2, 5, 9, 3]
