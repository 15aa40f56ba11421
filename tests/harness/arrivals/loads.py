"""Helpers: plans of one stage, and statistics on their times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.arrivals import Plan, build_plan
from harness.scenario.model import Gamma, GammaArrivals, Scenario, Stage

Array = NDArray[np.float64]


def gamma(burstiness: float) -> GammaArrivals:
    return GammaArrivals(gamma=Gamma(burstiness=burstiness))


def plan_of(*stages: Stage, seed: int = 1) -> Plan:
    return build_plan(Scenario(name="load", seed=seed, stages=stages))


def merged(plan: Plan, workers: int) -> Array:
    """Return the times as the workers send them, merged by time."""
    slices = [plan.slice_for(worker, workers).offsets_seconds for worker in range(workers)]
    return np.sort(np.concatenate(slices))


def counts_in_windows(times: Array, window_seconds: float, duration_seconds: float) -> NDArray[np.int64]:
    windows = int(duration_seconds / window_seconds)
    return np.bincount((times / window_seconds).astype(np.int64), minlength=windows)[:windows]


def squared_cv(times: Array) -> float:
    """Return the squared coefficient of variation of the gaps: the burstiness."""
    gaps = np.diff(times)
    return float((gaps.std() / gaps.mean()) ** 2)


def dispersion(times: Array, window_seconds: float, duration_seconds: float) -> float:
    """Return the index of dispersion: variance over mean of the counts in windows."""
    counts = counts_in_windows(times, window_seconds, duration_seconds)
    return float(counts.var() / counts.mean())


def dispersion_in_theory(burstiness: float, rate: float, window_seconds: float) -> float:
    """Return the index of dispersion of a stationary gamma renewal process, for windows of many gaps.

    Cox, Renewal Theory: Var N(t) → c²λt + 1/6 + c⁴/2 − μ₃/3 with mean gap 1; for gamma gaps with c² = b the
    third central moment μ₃ is 2b², so that Var N / λt = b + (1 − b²) / (6 λ t). Poisson: 1 at every t.
    """
    return burstiness + (1 - burstiness**2) / (6 * rate * window_seconds)
