"""When attainment is back: sliding windows by due time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.measure.stages import Window

WINDOW_SECONDS = 3.0
HOLD_SECONDS = 5.0
STEP_SECONDS = 0.5
_BASELINE_RANK_SHARE = 0.05


class SlidingAttainment:
    """The share of requests due in [t, t + 3 s) that meet every objective, for any t."""

    def __init__(self, due_seconds: NDArray[np.float64], good: NDArray[np.bool_]) -> None:
        order = np.argsort(due_seconds, kind="stable")
        self._due = due_seconds[order]
        self._good = np.concatenate([[0], np.cumsum(good[order])])

    def at(self, starts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of each window; nan for one in which nothing was due."""
        first = np.searchsorted(self._due, starts - 1e-9)
        last = np.searchsorted(self._due, starts + WINDOW_SECONDS - 1e-9)
        good = (self._good[last] - self._good[first]).astype(np.float64)
        due = (last - first).astype(np.float64)
        return np.asarray(np.divide(good, due, out=np.full(len(starts), np.nan), where=due > 0))

    def baseline_level(self, baseline: Window) -> float:
        """Return the level that 95 % of the baseline's own 3 s windows reach; nan without such a window.

        Compared with the baseline's mean, a target that is as good as before would seem not to have recovered
        in half of its windows.
        """
        last = max(baseline.start_seconds, baseline.end_seconds - WINDOW_SECONDS)
        shares = self.at(_steps(baseline.start_seconds, last))
        shares = np.sort(shares[~np.isnan(shares)])
        return float(shares[math.ceil(_BASELINE_RANK_SHARE * len(shares)) - 1]) if len(shares) else math.nan

    def back_after(self, level: float, from_seconds: float, load_end_seconds: float) -> float:
        """Return how long after ``from_seconds`` the attainment is back at ``level`` and holds for 5 s.

        Starts are tried every 0.5 s: the first t for which every 3 s window within [t, t + 5 s) reaches the
        level. +inf when none does before the load ends, nan when the baseline has no level (or level 0:
        a target that never met the objectives has nothing to come back to).
        """
        if math.isnan(level) or level <= 0:
            return math.nan
        starts = _steps(from_seconds, load_end_seconds - WINDOW_SECONDS)
        shares = self.at(starts)
        holds = round((HOLD_SECONDS - WINDOW_SECONDS) / STEP_SECONDS) + 1
        if len(starts) < holds:
            return math.inf
        reached = np.lib.stride_tricks.sliding_window_view(shares >= level - 1e-12, holds).all(axis=1)
        return float(starts[np.argmax(reached)] - from_seconds) if reached.any() else math.inf


def observed_seconds(from_seconds: float, load_end_seconds: float) -> float:
    """Return until how long after ``from_seconds`` a recovery could have been seen."""
    return max(0.0, load_end_seconds - HOLD_SECONDS - from_seconds)


def _steps(first: float, last: float) -> NDArray[np.float64]:
    count = max(0, math.floor((last - first) / STEP_SECONDS + 1e-9) + 1)
    return first + STEP_SECONDS * np.arange(count, dtype=np.float64)
