"""Arrivals have the statistics that theory demands, within 3 %, whatever the number of workers.

The samples are so large (10,000 windows of 60 s) that one standard error is about 1.4 %, and seeds are fixed:
the test is the same every time.
"""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from harness.arrivals import Plan
from harness.scenario.model import Decay, Ramp, Rate, Stage
from tests.harness.arrivals.loads import (
    counts_in_windows,
    dispersion,
    dispersion_in_theory,
    gamma,
    merged,
    plan_of,
    squared_cv,
)

DURATION = 600_000.0
RATE = 3.0


@pytest.fixture(scope="module")
def poisson() -> Plan:
    return plan_of(Stage(name="a", duration=DURATION, rate=Rate(RATE)))


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_poisson_arrivals_are_poisson_for_any_number_of_workers(poisson: Plan, workers: int) -> None:
    times = merged(poisson, workers)
    assert np.array_equal(times, poisson.offsets_seconds)
    assert len(times) == pytest.approx(RATE * DURATION, rel=0.03)
    assert squared_cv(times) == pytest.approx(1.0, rel=0.03)
    for window in (1.0, 10.0, 60.0):
        assert dispersion(times, window, DURATION) == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("workers", [2, 4, 8])
def test_one_workers_gaps_are_erlang_with_the_variation_of_every_kth_arrival(
    poisson: Plan, workers: int
) -> None:
    for worker in (0, workers - 1):
        times = poisson.slice_for(worker, workers).offsets_seconds
        assert squared_cv(times) == pytest.approx(1 / workers, rel=0.03)


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
@pytest.mark.parametrize("burstiness", [0.25, 4.0])
def test_gamma_arrivals_have_the_burstiness_asked_for(burstiness: float, workers: int) -> None:
    rate, duration = 40.0, 30_000.0
    plan = plan_of(Stage(name="a", duration=duration, rate=Rate(rate), arrivals=gamma(burstiness)), seed=3)
    times = merged(plan, workers)
    assert len(times) == pytest.approx(rate * duration, rel=0.03)
    assert squared_cv(times) == pytest.approx(burstiness, rel=0.03)
    in_theory = dispersion_in_theory(burstiness, rate, 1.0)
    assert dispersion(times, 1.0, duration) == pytest.approx(in_theory, rel=0.03)


@pytest.mark.parametrize("burstiness", [0.25, 4.0])
def test_gamma_bursts_stay_bursts_over_10_and_60_seconds(burstiness: float) -> None:
    plan = plan_of(Stage(name="a", duration=DURATION, rate=Rate(RATE), arrivals=gamma(burstiness)), seed=2)
    for window in (10.0, 60.0):
        in_theory = dispersion_in_theory(burstiness, RATE, window)
        assert dispersion(plan.offsets_seconds, window, DURATION) == pytest.approx(in_theory, rel=0.03)


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_constant_arrivals_have_equal_gaps_and_equal_counts(workers: int) -> None:
    times = merged(plan_of(Stage(name="a", duration=600.0, rate=Rate(20.0), arrivals="constant")), workers)
    assert len(times) == 12_000
    assert np.diff(times) == pytest.approx(np.full(11_999, 0.05), abs=1e-9)
    for window in (1.0, 10.0, 60.0):
        assert set(counts_in_windows(times, window, 600.0)) == {20 * window}


STAGES = (
    Stage(name="steady", duration=100.0, rate=Rate(300.0)),
    Stage(name="step", duration=50.0, rate=Rate(900.0)),
    Stage(name="ramp", duration=100.0, ramp=Ramp(from_=Rate(0.0), to=Rate(600.0))),
    Stage(name="down", duration=100.0, ramp=Ramp(from_=Rate(500.0), to=Rate(100.0))),
    Stage(name="decay", duration=60.0, decay=Decay(from_=Rate(2000.0), to=Rate(200.0), half_life=10.0)),
    Stage(name="rise", duration=60.0, decay=Decay(from_=Rate(50.0), to=Rate(800.0), half_life=20.0)),
)
EXPECTED = (
    300.0 * 100,
    900.0 * 50,
    600.0 * 100 / 2,
    (500.0 + 100.0) / 2 * 100,
    200.0 * 60 + 1800.0 * 10 / log(2) * (1 - 2.0**-6),
    800.0 * 60 - 750.0 * 20 / log(2) * (1 - 2.0**-3),
)


@pytest.mark.parametrize("arrivals", ["poisson", "constant", "gamma"])
@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_every_stage_gets_the_integral_of_its_rate(arrivals: str, workers: int) -> None:
    kind = gamma(2.0) if arrivals == "gamma" else arrivals
    plan = plan_of(*(stage.model_copy(update={"arrivals": kind}) for stage in STAGES))
    slices = [plan.slice_for(worker, workers) for worker in range(workers)]
    counts = sum(np.bincount(part.stage, minlength=len(STAGES)) for part in slices)
    assert counts == pytest.approx(np.array(EXPECTED), rel=0.03)


@pytest.mark.parametrize("index", range(len(STAGES)))
def test_a_changing_rate_is_followed_exactly_and_not_in_steps(index: int) -> None:
    """Kolmogorov–Smirnov against the integral of the rate: the 99.9 % bound is 1.95 / √n."""
    stage = STAGES[index].model_copy(update={"name": "only"})
    times = plan_of(stage, seed=5).offsets_seconds
    shares = _cumulative_share(index, times / stage.duration)
    ranks = np.arange(1, len(times) + 1) / len(times)
    assert np.max(np.abs(shares - ranks)) < 1.95 / np.sqrt(len(times))


def _cumulative_share(index: int, x: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Return the expected share of a stage's arrivals before x of its length, written out by hand."""
    return [
        lambda: x,
        lambda: x,
        lambda: x**2,
        lambda: (500 * x - 200 * x**2) / 300,
        lambda: (200 * 60 * x + 1800 * 10 / log(2) * (1 - 2 ** (-6 * x))) / EXPECTED[4],
        lambda: (800 * 60 * x - 750 * 20 / log(2) * (1 - 2 ** (-3 * x))) / EXPECTED[5],
    ][index]()


def test_a_stage_of_bursty_arrivals_is_in_the_mean_as_full_as_its_rate_says_however_short() -> None:
    """An ordinary (not stationary) renewal process would give 2.6 instead of 2 here."""
    stages = [Stage(name=f"s{n}", duration=1.0, rate=Rate(2.0), arrivals=gamma(4.0)) for n in range(250)]
    counts = [len(plan_of(*stages, seed=seed)) for seed in range(40)]
    assert np.mean(counts) / 250 == pytest.approx(2.0, rel=0.03)
