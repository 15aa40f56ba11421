"""The binomial distribution, summed exactly: ranks of order statistics and Clopper-Pearson intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def cdf(n: int, p: float) -> tuple[int, NDArray[np.float64]]:
    """Return (first, P(B ≤ first), P(B ≤ first + 1), ...) for B ~ Binomial(n, p), 0 < p < 1.

    The window leaves out less than 1e-15 at each side. Terms come from the ratio of neighbours,
    P(k+1) ÷ P(k) = (n−k)/(k+1) · p/(1−p), and are scaled to sum 1, so no factorial is ever formed.
    """
    half = 12 * math.sqrt(n * p * (1 - p)) + 60
    first, last = max(0, math.floor(n * p - half)), min(n, math.ceil(n * p + half))
    k = np.arange(first, last, dtype=np.float64)
    steps = np.log((n - k) / (k + 1)) + math.log(p) - math.log1p(-p)
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    terms = np.exp(logs - logs.max())
    return first, np.cumsum(terms) / terms.sum()


@lru_cache(maxsize=4096)
def rank_bounds(n: int, q: float, confidence: float = 0.95) -> tuple[int | None, int | None]:
    """Return the ranks (1-based) of the order statistics that bound the q-quantile of n samples.

    P(X_(lo) > quantile) ≤ (1−confidence)/2 and P(X_(hi) ≤ quantile) ≤ (1−confidence)/2. None where n samples
    have no such rank: P99 has an upper one from 368 samples on.
    """
    tail = (1 - confidence) / 2
    if n < 1:
        return None, None
    first, below = cdf(n, q)
    low = first + int(np.searchsorted(below, tail, side="right"))
    high = first + int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return (low if low >= 1 else None), (high if high <= n else None)


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a share; (0, 1) when n is 0."""
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _solve(lambda p: 1 - _at_most(successes - 1, n, p) < tail)
    high = 1.0 if successes >= n else _solve(lambda p: _at_most(successes, n, p) > tail)
    return low, high


def _at_most(k: int, n: int, p: float) -> float:
    first, below = cdf(n, p)
    if k < first:
        return 0.0
    return float(below[min(k - first, len(below) - 1)])


def _solve(is_below: Callable[[float], bool]) -> float:
    """Bisect (0, 1) for the p where a condition that holds for small p stops to hold."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2
