"""The integral of each rate by hand, and its inverse by property."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.arrivals.rate_curve import Exponential, Linear, RateCurve, Steady, expected_count, rate_curve
from harness.scenario.model import Decay, Ramp, Rate, Stage

_RATES = st.one_of(st.just(0.0), st.floats(min_value=1e-6, max_value=1e4))
_SECONDS = st.floats(min_value=0.01, max_value=1e4)
_CURVES = st.one_of(
    st.builds(Steady, rate=st.floats(min_value=1e-3, max_value=1e4), duration_seconds=_SECONDS),
    st.builds(Linear, start=_RATES, end=_RATES, duration_seconds=_SECONDS),
    st.builds(Exponential, start=_RATES, end=_RATES, half_life_seconds=_SECONDS, duration_seconds=_SECONDS),
)


@settings(max_examples=200, deadline=None)
@given(_CURVES, st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=20))
def test_the_inverse_undoes_the_integral(curve: RateCurve, shares: list[float]) -> None:
    total = expected_count(curve)
    counts = np.sort(np.array(shares)) * total
    if total == 0:
        return
    seconds = curve.inverse(counts)
    assert np.all((seconds >= 0) & (seconds <= curve.duration_seconds * (1 + 1e-9)))
    assert curve.cumulative(seconds) == pytest.approx(counts, abs=1e-7 * total)
    assert np.all(np.diff(seconds) >= -1e-9 * curve.duration_seconds)


def test_a_ramp_from_0_to_10_in_10_seconds_has_sent_half_of_its_50_after_7_07_seconds() -> None:
    ramp = Linear(0.0, 10.0, 10.0)
    assert expected_count(ramp) == 50.0
    assert ramp.inverse(np.array([0.0, 25.0, 50.0])) == pytest.approx([0.0, 50**0.5, 10.0])


def test_a_decay_to_zero_sends_from_times_half_life_over_ln_2() -> None:
    decay = Exponential(100.0, 0.0, 2.0, 1000.0)
    assert expected_count(decay) == pytest.approx(100 * 2 / log(2))
    assert decay.inverse(np.array([100 / log(2)])) == pytest.approx([2.0])  # half of them in one half-life


def test_the_decays_rate_is_halfway_after_one_half_life() -> None:
    decay = Exponential(30.0, 10.0, 4.0, 100.0)
    assert decay.rate(np.array([0.0, 4.0, 8.0])) == pytest.approx([30.0, 20.0, 15.0])


def test_a_stage_has_the_curve_of_its_shape() -> None:
    steady = Stage(name="a", duration=3.0, rate=Rate(2.0))
    ramp = Stage(name="a", duration=3.0, ramp=Ramp(from_=Rate(1.0), to=Rate(2.0)))
    decay = Stage(name="a", duration=3.0, decay=Decay(from_=Rate(1.0), to=Rate(2.0), half_life=5.0))
    assert rate_curve(steady) == Steady(2.0, 3.0)
    assert rate_curve(ramp) == Linear(1.0, 2.0, 3.0)
    assert rate_curve(decay) == Exponential(1.0, 2.0, 5.0, 3.0)
