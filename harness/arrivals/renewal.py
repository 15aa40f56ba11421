"""Stationary renewal processes of rate 1: Poisson, constant, and gamma with burstiness.

"Stationary" means that an observer comes at any moment, not just after an arrival: the first gap is what is
left of the gap in which the observer fell. So the expected count in [0, t] is exactly t, however short t is.
"""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from harness.scenario.model import GammaArrivals, Stage

Array = NDArray[np.float64]


def burstiness(stage: Stage) -> float:
    """Return the squared coefficient of variation of the gaps: 0 constant, 1 Poisson."""
    if isinstance(stage.arrivals, GammaArrivals):
        return stage.arrivals.gamma.burstiness
    return 1.0 if stage.arrivals == "poisson" else 0.0


def arrivals_up_to(end: float, burstiness: float, random: np.random.Generator) -> Array:
    """Return the times of [0, end), ascending, of a stationary renewal process of rate 1."""
    if burstiness == 0:
        # Half a gap in front makes the count round(end), without a burst at a stage's border.
        return np.arange(0.5, end, 1.0)
    times = _first_gap(burstiness, random) + np.zeros(1)
    while times[-1] < end:
        gaps = _gaps(_enough(end - times[-1], burstiness), burstiness, random)
        times = np.concatenate([times, times[-1] + np.cumsum(gaps)])
    return times[: np.searchsorted(times, end)]


def _enough(length: float, burstiness: float) -> int:
    """Return how many gaps reach over ``length`` nearly always: the mean and four deviations."""
    return ceil(length + 4 * sqrt(burstiness * length)) + 16


def _gaps(count: int, burstiness: float, random: np.random.Generator) -> Array:
    if burstiness == 1:
        return random.standard_exponential(count)
    return random.gamma(1 / burstiness, burstiness, count)


def _first_gap(burstiness: float, random: np.random.Generator) -> float:
    """Draw what remains of the gap an observer falls into: uniform within a length-biased gap.

    The length-biased gamma of shape k is the gamma of shape k + 1 with the same scale.
    """
    return float(random.random() * random.gamma(1 / burstiness + 1, burstiness))
