"""Exact percentiles with their intervals, over data in which failures are +inf."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.measure import bootstrap
from harness.measure.binomial import clopper_pearson, rank_bounds
from harness.measure.bootstrap import Stratum
from harness.measure.histogram import LogHistogram
from harness.measure.stages import Seconds

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value, its two-sided 95 % interval and its sample count. nan: no data.

    ``high`` is +inf (and ``low`` 0) where the sample is too small to bound that side.
    """

    measured: float
    low: float
    high: float
    n: int


NO_DATA = Estimate(math.nan, math.nan, math.nan, 0)


def nearest_rank(n: int, q: float) -> int:
    """Return the 1-based rank of the q-quantile (0..1) of n ≥ 1 values: ⌈q·n⌉, "type 1"."""
    return min(n, max(1, math.ceil(q * n - 1e-9)))  # 0.07 · 100 is 7.000000000000001 in binary


def percentile(ascending: Floats, q: float) -> float:
    """Return the q-quantile (0..1) of sorted values: always one of them; nan when there are none."""
    return float(ascending[nearest_rank(len(ascending), q) - 1]) if len(ascending) else math.nan


def order_statistic_interval(n: int, q: float, confidence: float = 0.95) -> tuple[int, int] | None:
    """Return the ranks (1-based) that bound the q-quantile of n independent samples, or None: too few."""
    low, high = rank_bounds(n, q, confidence)
    return None if low is None or high is None else (low, high)


def quantile_estimate(strata: Sequence[Stratum], q: float, seed: int = 0) -> Estimate:
    """Return the q-quantile of the values of all stages.

    Order statistics assume independent samples, the block bootstrap does not: at each side the farther one
    counts.
    """
    if not strata:
        return NO_DATA
    ascending = np.sort(np.concatenate([stratum.values for stratum in strata]))
    return sorted_quantile_estimate(strata, ascending, q, seed)


def sorted_quantile_estimate(
    strata: Sequence[Stratum], ascending: Floats, q: float, seed: int = 0
) -> Estimate:
    """Return ``quantile_estimate`` of values that are at hand sorted as well; there is at least one."""
    n = len(ascending)
    low_rank, high_rank = rank_bounds(n, q)
    low, high = bootstrap.quantile_interval(strata, ascending, q, seed)
    return Estimate(
        measured=percentile(ascending, q),
        low=0.0 if low_rank is None else min(low, float(ascending[low_rank - 1])),
        high=math.inf if high_rank is None else max(high, float(ascending[high_rank - 1])),
        n=n,
    )


def gap_quantile_estimate(gaps: LogHistogram, q: float, lost_gaps: int, streams_at_once: float) -> Estimate:
    """Return the q-quantile of a gap histogram in which ``lost_gaps`` gaps of failed requests are +inf.

    Streams that are open at once wait for the same step of the target, so their gaps are one observation, not
    many: the interval is that of gaps ÷ streams_at_once independent samples.
    """
    total = gaps.count + lost_gaps
    if not total:
        return NO_DATA
    independent = max(1, int(total / max(1.0, streams_at_once)))
    low_rank, high_rank = rank_bounds(independent, q)
    return Estimate(
        measured=_gap_at(gaps, nearest_rank(total, q)),
        low=0.0 if low_rank is None else _gap_at(gaps, nearest_rank(total, low_rank / independent)),
        high=math.inf if high_rank is None else _gap_at(gaps, nearest_rank(total, high_rank / independent)),
        n=total,
    )


def share_estimate(
    good_by_second: Floats, offered_by_second: Floats, seconds: Seconds, seed: int = 0
) -> Estimate:
    """Return Σ good ÷ Σ offered with the wider of Clopper-Pearson and the block bootstrap over seconds."""
    good, offered = int(good_by_second.sum()), int(offered_by_second.sum())
    if not offered:
        return NO_DATA
    exact = clopper_pearson(good, offered)
    blocks = bootstrap.ratio_interval(good_by_second, offered_by_second, seconds.stage, seed)
    return Estimate(good / offered, min(exact[0], blocks[0]), max(exact[1], blocks[1]), offered)


def rate_estimate(good_by_second: Floats, offered: int, seconds: Seconds, seed: int = 0) -> Estimate:
    """Return good requests per second over all seconds.

    The wider of: offered rate × Clopper-Pearson of the share, and the block bootstrap over the bins.
    """
    if not offered:
        return NO_DATA
    good, duration = int(good_by_second.sum()), float(seconds.widths.sum())
    exact_low, exact_high = (share * offered / duration for share in clopper_pearson(good, offered))
    low, high = bootstrap.ratio_interval(good_by_second, seconds.widths, seconds.stage, seed)
    return Estimate(good / duration, min(exact_low, low), max(exact_high, high), offered)


def _gap_at(gaps: LogHistogram, rank: int) -> float:
    return gaps.value_at_rank(rank) if rank <= gaps.count else math.inf
