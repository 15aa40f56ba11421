"""The summary of one latency: percentiles over offered requests, and beside them those of the successes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.measure.bootstrap import Stratum
from harness.measure.histogram import LogHistogram
from harness.measure.quantile import (
    gap_quantile_estimate,
    order_statistic_interval,
    percentile,
    sorted_quantile_estimate,
)
from harness.measure.records import Records
from harness.measure.summary import LatencySummary

_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
_OVER_OK = ("p50", "p90", "p99")


def summarize_latency(strata: Sequence[Stratum], seed: int) -> LatencySummary:
    """Summarize one value per offered request; +inf is a failure."""
    ascending = np.sort(np.concatenate([np.zeros(0), *(stratum.values for stratum in strata)]))
    succeeded = ascending[: np.searchsorted(ascending, math.inf)]
    return LatencySummary(
        n=len(ascending),
        n_failed=len(ascending) - len(succeeded),
        **{name: percentile(ascending, q) for name, q in _PERCENTILES.items()},
        mean_ok=float(succeeded.mean()) if len(succeeded) else math.nan,
        max_ok=float(succeeded[-1]) if len(succeeded) else math.nan,
        p99_ci=_p99_interval(strata, ascending, seed),
        over_ok={name: percentile(succeeded, _PERCENTILES[name]) for name in _OVER_OK},
    )


def summarize_gaps(gaps: LogHistogram, records: Records, duration_seconds: float) -> LatencySummary:
    """Summarize the gaps between chunks; see ``lost_gaps`` for what failed requests add."""
    lost, at_once = lost_gaps(records), streams_at_once(records, duration_seconds)
    total = gaps.count + lost
    estimate = gap_quantile_estimate(gaps, 0.99, lost, at_once)
    return LatencySummary(
        n=total,
        n_failed=lost,
        **{name: gap_quantile_estimate(gaps, q, lost, at_once).measured for name, q in _PERCENTILES.items()},
        mean_ok=gaps.mean_seconds,
        max_ok=gaps.max_seconds if gaps.count else math.nan,
        p99_ci=(estimate.low, estimate.high) if total and _is_bounded(total, at_once) else None,
        over_ok={name: gaps.quantile(_PERCENTILES[name]) for name in _OVER_OK},
    )


def lost_gaps(records: Records) -> int:
    """Return how many gaps count as +inf: for each failed request as many as a success has on average.

    Without this, an answer that fails early would take its slow gaps out of the score.
    """
    ok = records.ok
    gaps_per_success = np.maximum(records.chunks[ok] - 1, 0).mean() if ok.any() else 1.0
    return round(int((~ok).sum()) * float(gaps_per_success))


def streams_at_once(records: Records, duration_seconds: float) -> float:
    """Return the mean number of answers that were streaming at the same time."""
    streamed = records.chunks > 1
    streaming_ns = (records.last_token_ns - records.first_token_ns)[streamed].sum()
    return float(streaming_ns) / 1e9 / duration_seconds


def _is_bounded(total: int, at_once: float) -> bool:
    return order_statistic_interval(int(total / max(1.0, at_once)), 0.99) is not None


def _p99_interval(
    strata: Sequence[Stratum], ascending: NDArray[np.float64], seed: int
) -> tuple[float, float] | None:
    if order_statistic_interval(len(ascending), 0.99) is None:
        return None
    estimate = sorted_quantile_estimate(strata, ascending, 0.99, seed)
    return estimate.low, estimate.high
