"""The backlog over time: requests that were due and had not ended, as an exact step function."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.measure.records import Records

_BASELINE_SHARE_OF_TIME = 0.95
_SAMPLE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Backlog:
    """``level[i]`` holds from ``at_seconds[i]`` to the next entry; before the first one it is 0."""

    at_seconds: NDArray[np.float64]
    level: NDArray[np.int64]

    def at(self, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the backlog at instants."""
        from_nothing = np.concatenate([[0], self.level])
        return from_nothing[np.searchsorted(self.at_seconds, seconds, side="right")]

    def peak_from(self, start_seconds: float) -> tuple[int, float]:
        """Return the highest backlog from an instant on, and when it is first reached."""
        level = int(self.at(np.array([start_seconds]))[0])
        later = self.at_seconds > start_seconds
        if not later.any() or self.level[later].max() <= level:
            return level, start_seconds
        where = int(np.argmax(np.where(later, self.level, -1)))
        return int(self.level[where]), float(self.at_seconds[where])

    def usual_in(self, start_seconds: float, end_seconds: float) -> int:
        """Return the level that the backlog does not exceed for 95 % of the time of a window."""
        levels = np.sort(self.at(np.arange(start_seconds, end_seconds, _SAMPLE_SECONDS)))
        return int(levels[math.ceil(_BASELINE_SHARE_OF_TIME * len(levels)) - 1])

    def first_at_most(self, level: int, from_seconds: float) -> float:
        """Return the first instant ≥ ``from_seconds`` with a backlog ≤ level; +inf when there is none."""
        if self.at(np.array([from_seconds]))[0] <= level:
            return from_seconds
        low = (self.at_seconds > from_seconds) & (self.level <= level)
        return float(self.at_seconds[np.argmax(low)]) if low.any() else math.inf


def build_backlog(records: Records) -> Backlog:
    """Return the backlog of all records: +1 when a request is due, −1 when it ends, however it ends."""
    instants = np.concatenate([records.intended_ns, np.maximum(records.end_ns, records.intended_ns)])
    change = np.concatenate([np.ones(len(records), np.int64), -np.ones(len(records), np.int64)])
    order = np.argsort(instants, kind="stable")
    running = np.cumsum(change[order])
    ordered = instants[order]
    last_of_instant = np.append(ordered[1:] != ordered[:-1], True) if len(ordered) else np.zeros(0, np.bool_)
    return Backlog(ordered[last_of_instant] / 1e9, running[last_of_instant])
