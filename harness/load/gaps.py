"""Every gap between tokens, into one histogram per stage, at the price of a list's append."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.measure.histogram import LogHistogram

FLUSH_AT = 4096


class GapRecorder:
    """Collects gaps in nanoseconds; ``flush`` counts them, many at a time."""

    def __init__(self, stages: int) -> None:
        self._buffers: list[list[int]] = [[] for _ in range(stages)]
        self.histograms = tuple(LogHistogram() for _ in range(stages))

    def taker(self, stage: int) -> Callable[[int], None]:
        """Return what takes one gap of ``stage``: the fastest thing there is, a list's own append."""
        return self._buffers[stage].append

    def flush(self, at: int = FLUSH_AT) -> None:
        """Count the gaps of every stage that has at least ``at`` of them."""
        for buffer, histogram in zip(self._buffers, self.histograms, strict=True):
            if len(buffer) >= at:
                histogram.add_many(np.array(buffer, dtype=np.int64))
                buffer.clear()  # in place: the takers hold on to this very list
