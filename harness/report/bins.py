"""Wider bins for counts: a second of a slow run holds too few requests, and a long run has too many."""

from __future__ import annotations

from collections.abc import Sequence

from harness.measure.summary import TimeSeries

WIDTHS_SECONDS = (1, 2, 5, 10, 15, 30, 60, 300)
ENOUGH_IN_A_BIN = 4
FEWEST_BINS, MOST_BINS = 15, 600


def bin_seconds(series: TimeSeries) -> int:
    """Return the narrowest width that makes 15 to 600 bins of 4 offered requests or more on average."""
    length, offered = len(series.t), sum(series.offered)
    fitting = [w for w in WIDTHS_SECONDS if FEWEST_BINS <= length / w <= MOST_BINS]
    if not fitting:
        return WIDTHS_SECONDS[0] if length < FEWEST_BINS else WIDTHS_SECONDS[-1]
    return next((w for w in fitting if offered * w >= ENOUGH_IN_A_BIN * length), fitting[-1])


def rates(counts: Sequence[int], width: int) -> list[float]:
    """Return the mean rate per second in each bin; the last one may be shorter."""
    parts = (counts[start : start + width] for start in range(0, len(counts), width))
    return [sum(part) / len(part) for part in parts]


def middles(series: TimeSeries, width: int) -> list[float]:
    """Return the middle of each bin in seconds after the run's start."""
    starts = range(0, len(series.t), width)
    return [series.t[start] + min(width, len(series.t) - start) / 2 for start in starts]
