"""Moving-block bootstrap: intervals that respect that neighbours in a queue suffer together.

Blocks of consecutive entries are drawn with replacement, within each stage on its own: that a run has a calm
stage and a spike is its design and no accident. The statistic is read from 400 such resamples. Künsch 1989;
block length ~ n^(1/3) or longer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 400
_MAX_CELLS = 2048
_MIN_CELLS_PER_STAGE = 32
_LEVELS_PER_SIDE = 64

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stratum:
    """One stage's values in due order (never empty, no nan), and how long the stage lasted."""

    values: Floats
    duration_seconds: float


def block_length(n: int, duration_seconds: float) -> int:
    """Return the block for n arrivals over a duration: n^(1/3) or one second of arrivals, the longer one."""
    per_second = n / duration_seconds if duration_seconds > 0 else n
    return max(1, min(n, math.ceil(max(math.cbrt(n), per_second))))


def quantile_interval(
    strata: Sequence[Stratum], ascending: Floats, q: float, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of the q-quantile of all stages' values (``ascending``: the same, sorted).

    A resample's quantile is read from how many of its values are ≤ x, for a ladder of x around the sample's
    quantile (dense near it), so no resample is ever sorted: a million rows take 0.1 s. The ladder rounds the
    interval outwards. More than 2048 rows are first counted in cells of consecutive arrivals, and blocks are
    made of whole cells: one second of arrivals is at least a cell in any run shorter than 34 minutes.
    """
    ladder, rng = _ladder(ascending, q), np.random.default_rng(seed)
    max_cells = max(_MIN_CELLS_PER_STAGE, _MAX_CELLS // len(strata))
    sums = np.sum([_resampled_counts(stratum, ladder, max_cells, rng) for stratum in strata], axis=0)
    shares = sums / sums[:, -1:]  # the last rung is the maximum: every value is ≤ it
    low, high = _percentile_interval(np.sort(np.argmax(shares >= q - 1e-9, axis=1)))
    return _value_above_rung_below(ascending, ladder, int(low)), float(ladder[int(high)])


def ratio_interval(
    numerators: Floats, denominators: Floats, stage: NDArray[np.int64], seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of Σ numerators ÷ Σ denominators over bins in time order; nan without data."""
    if denominators.sum() <= 0:
        return math.nan, math.nan
    bins, rng = np.stack([numerators, denominators], axis=1), np.random.default_rng(seed)
    by_stage = [bins[stage == index] for index in np.unique(stage)]
    sums = np.sum([_resampled_sums(mine, round(math.cbrt(len(mine))), rng) for mine in by_stage], axis=0)
    usable = sums[sums[:, 1] > 0]
    low, high = _percentile_interval(np.sort(usable[:, 0] / usable[:, 1]))
    return float(low), float(high)


def _resampled_counts(stratum: Stratum, ladder: Floats, max_cells: int, rng: np.random.Generator) -> Floats:
    n = len(stratum.values)
    cell = math.ceil(n / max_cells)
    counts = _counts_by_cell(stratum.values, ladder, cell)
    block = max(1, round(block_length(n, stratum.duration_seconds) / cell))
    return _resampled_sums(counts, min(len(counts), block), rng)


def _ladder(ascending: Floats, q: float) -> Floats:
    n = len(ascending)
    middle = min(n - 1, max(0, math.ceil(q * n - 1e-9) - 1))
    away = np.unique(np.geomspace(1, n, _LEVELS_PER_SIDE).astype(np.int64))
    ranks = np.concatenate([middle - away, [0, middle, n - 1], middle + away])
    return np.unique(ascending[ranks[(ranks >= 0) & (ranks < n)]])


def _counts_by_cell(in_order: Floats, ladder: Floats, cell: int) -> Floats:
    """Return how many values of each cell are ≤ each rung."""
    rungs, n = len(ladder), len(in_order)
    rung = np.searchsorted(ladder, in_order, side="left")
    cells = math.ceil(n / cell)
    flat = np.bincount(np.arange(n) // cell * rungs + rung, minlength=cells * rungs)
    return np.cumsum(flat.reshape(cells, rungs), axis=1).astype(np.float64)


def _resampled_sums(rows: Floats, block: int, rng: np.random.Generator) -> Floats:
    """Return [resamples, columns]: column sums over as many random blocks as fill the series."""
    starts = len(rows) - block + 1
    running = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    block_sums = running[block:] - running[:-block]
    drawn = math.ceil(len(rows) / block)
    picks = rng.integers(0, starts, (RESAMPLES, drawn))
    flat = (np.arange(RESAMPLES)[:, None] * starts + picks).ravel()
    times = np.bincount(flat, minlength=RESAMPLES * starts).reshape(RESAMPLES, starts)
    scale = len(rows) / (drawn * block)  # the last block may stick out, and stages must keep their weights
    return np.asarray(times.astype(np.float64) @ block_sums * scale)


def _percentile_interval(ascending: NDArray[np.generic]) -> tuple[np.generic, np.generic]:
    n = len(ascending)
    return ascending[math.floor(0.025 * (n - 1))], ascending[math.ceil(0.975 * (n - 1))]


def _value_above_rung_below(ascending: Floats, ladder: Floats, rung: int) -> float:
    # The quantile lies above the rung below, so its low end is the next value that the sample has there.
    if rung == 0:
        return float(ladder[0])
    return float(ascending[np.searchsorted(ascending, ladder[rung - 1], side="right")])
