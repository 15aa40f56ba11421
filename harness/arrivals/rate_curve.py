"""A stage's rate over time λ(t), its integral Λ(t), and the exact inverse of the integral.

Λ(t) is the expected number of arrivals in [0, t]. An arrival process of rate λ(t) is one of rate 1 whose
times are read through Λ⁻¹ (time rescaling), so the inverse is all that a plan needs: there is no staircase.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.scenario.model import Stage

Array = NDArray[np.float64]


class RateCurve(Protocol):
    """Times in seconds from the stage's start, rates per second, expected counts without unit."""

    @property
    def duration_seconds(self) -> float:
        """Return the stage's length."""
        ...

    def cumulative(self, seconds: Array) -> Array:
        """Return Λ at the given times."""
        ...

    def inverse(self, counts: Array) -> Array:
        """Return the times at which Λ reaches the given counts, each at most Λ(duration)."""
        ...


@dataclass(frozen=True, slots=True)
class Steady:
    """λ(t) = rate."""

    rate: float
    duration_seconds: float

    def cumulative(self, seconds: Array) -> Array:
        """Λ(t) = rate · t."""
        return self.rate * seconds

    def inverse(self, counts: Array) -> Array:
        """Λ⁻¹(n) = n / rate."""
        return counts / self.rate


@dataclass(frozen=True, slots=True)
class Linear:
    """λ(t) = start + (end − start) · t / duration."""

    start: float
    end: float
    duration_seconds: float

    def cumulative(self, seconds: Array) -> Array:
        """Λ(t) = start · t + slope · t² / 2."""
        slope = (self.end - self.start) / self.duration_seconds
        return self.start * seconds + slope * seconds**2 / 2

    def inverse(self, counts: Array) -> Array:
        """Solve the quadratic in the form that does not cancel: 2n / (start + √(start² + 2 · slope · n))."""
        slope = (self.end - self.start) / self.duration_seconds
        root = np.sqrt(np.maximum(self.start**2 + 2 * slope * counts, 0.0))
        divisor = self.start + root
        # Both vanish only at n = 0 of a ramp from zero.
        return np.divide(2 * counts, divisor, out=np.zeros_like(counts), where=divisor > 0)


@dataclass(frozen=True, slots=True)
class Exponential:
    """λ(t) = end + (start − end) · 2^(−t / half_life)."""

    start: float
    end: float
    half_life_seconds: float
    duration_seconds: float

    def rate(self, seconds: Array) -> Array:
        """Return λ at the given times."""
        return self.end + (self.start - self.end) * np.exp2(-seconds / self.half_life_seconds)

    def cumulative(self, seconds: Array) -> Array:
        """Λ(t) = end · t + (start − end) · (half_life / ln 2) · (1 − 2^(−t / half_life))."""
        decayed = -np.expm1(-seconds * log(2) / self.half_life_seconds)
        return self.end * seconds + (self.start - self.end) * self.half_life_seconds / log(2) * decayed

    def inverse(self, counts: Array) -> Array:
        """Newton's method from the side where Λ lies under its tangents, so that it cannot overshoot.

        There is no closed form. A grid brings each start close: Λ is concave for a falling rate (start left
        of the root) and convex for a rising one (start right of it).
        """
        grid = np.linspace(0.0, self.duration_seconds, 4097)
        cell = np.clip(np.searchsorted(self.cumulative(grid), counts, side="right") - 1, 0, len(grid) - 2)
        low, high = grid[cell], grid[cell + 1]
        seconds = low if self.start >= self.end else high
        for _ in range(50):
            step = _quotient(self.cumulative(seconds) - counts, self.rate(seconds))
            seconds = np.clip(seconds - step, low, high)
            if np.all(np.abs(step) <= 1e-12 * self.duration_seconds):
                break
        return seconds


def _quotient(difference: Array, rate: Array) -> Array:
    """Divide; where the rate has died away, any time of the cell is right, so stay."""
    return np.divide(difference, rate, out=np.zeros_like(difference), where=rate > 0)


def rate_curve(stage: Stage) -> RateCurve:
    """Return the curve of a stage with absolute rates and without a trace. Raises ValueError for ``x``."""
    rates = [rate.absolute(None).value for rate in stage.rates()]
    if stage.decay is not None:
        return Exponential(rates[0], rates[1], stage.decay.half_life, stage.duration)
    if stage.ramp is not None:
        return Linear(rates[0], rates[1], stage.duration)
    return Steady(rates[0], stage.duration)


def expected_count(curve: RateCurve) -> float:
    """Return the expected number of arrivals in the whole stage."""
    return float(curve.cumulative(np.array([curve.duration_seconds]))[0])
