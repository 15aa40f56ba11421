"""Values with units read to the base unit, and nothing else reads at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario.units import (
    Rate,
    parse_duration,
    parse_rate,
    parse_share,
    parse_speed,
    plain_number,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("10 s", 10.0),
        ("5us", 5e-6),
    ],
)
def test_durations_are_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["30", "-3s", "s", "3 minutes", "1e3s", "", 30, None, True, "3S", "nan s", "３s"]
)
def test_a_duration_without_a_known_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="a duration with its unit"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("400/s", Rate(400.0)),
        ("30/min", Rate(0.5)),
        ("7200/h", Rate(2.0)),
        ("2.5x", Rate(2.5, "x")),
        ("0/s", Rate(0.0)),
    ],
)
def test_rates_are_per_second_or_multiples_of_the_capacity(text: str, rate: Rate) -> None:
    parsed = parse_rate(text)
    assert parsed.unit == rate.unit
    assert parsed.value == pytest.approx(rate.value, rel=1e-12)


@pytest.mark.parametrize("text", ["400", "-1/s", "x", "4/day", 4, "4 per second", "1e999/s"])
def test_a_rate_without_a_known_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="a rate"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("given_", "share"), [("1%", 0.01), (0.25, 0.25), (1, 1.0), ("0%", 0.0), ("100%", 1.0)]
)
def test_shares_are_percentages_or_numbers_up_to_one(given_: object, share: float) -> None:
    assert parse_share(given_) == pytest.approx(share)


@pytest.mark.parametrize("given_", ["1", 1.01, -0.1, "101%", True, None, "5"])
def test_what_is_no_share_is_refused(given_: object) -> None:
    with pytest.raises(ValueError, match="a share"):
        parse_share(given_)


@pytest.mark.parametrize(("given_", "factor"), [("20x", 20.0), (20, 20.0), ("0.5x", 0.5)])
def test_a_speed_is_a_factor(given_: object, factor: float) -> None:
    assert parse_speed(given_) == factor


@pytest.mark.parametrize("given_", ["0x", 0, -1, "20", "20/s", False])
def test_a_speed_that_is_not_above_zero_is_refused(given_: object) -> None:
    with pytest.raises(ValueError, match="a speed above 0"):
        parse_speed(given_)


@given(st.floats(min_value=0, max_value=1e15))
def test_every_number_reads_back_exactly_as_it_was_written(value: float) -> None:
    assert float(plain_number(value)) == value
    assert parse_duration(f"{plain_number(value)}s") == value


@given(st.floats(min_value=0, max_value=1e9), st.sampled_from(["per_second", "x"]))
def test_every_rate_reads_back_exactly_as_it_was_written(value: float, unit: str) -> None:
    rate = Rate(value, unit)  # type: ignore[arg-type]
    assert parse_rate(str(rate)) == rate


def test_a_multiple_of_an_unknown_capacity_has_no_absolute_value() -> None:
    assert Rate(2.5, "x").absolute(8.0) == Rate(20.0)
    assert Rate(3.0).absolute(None) == Rate(3.0)
    with pytest.raises(ValueError, match="capacity"):
        Rate(2.5, "x").absolute(None)
