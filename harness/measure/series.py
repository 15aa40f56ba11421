"""The run second by second."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.measure.record import Outcome
from harness.measure.records import Records
from harness.measure.stage_summary import completed
from harness.measure.summary import TimeSeries
from harness.measure.timings import Mask

Bins = NDArray[np.int64]


def build_series(records: Records, good: Mask, load_seconds: float) -> TimeSeries:
    """Return the 1 s bins from the run's start to its last event, at least as long as the load."""
    due, end = _second(records.intended_ns), _second(records.end_ns)
    sent = records.was_sent
    n = count_bins(records, load_seconds)
    return TimeSeries(
        t=tuple(map(float, range(n))),
        offered=_count(due, n),
        sent=_count(_second(records.sent_ns)[sent], n),
        completed=_count(end[completed(records)], n),
        ok=_count(end[records.ok], n),
        rejected=_count(end[records.ended_as(Outcome.REJECTED)], n),
        failed=_count(end[~(records.ok | records.ended_as(Outcome.REJECTED))], n),
        in_flight=_in_flight(_second(records.sent_ns)[sent], end[sent], n),
        goodput=_count(due[good], n),
        output_tokens=_count(end, n, records.output_tokens),
        **_percentiles(records, due, n),
    )


def count_bins(records: Records, load_seconds: float) -> int:
    """Return the number of seconds that hold the load and every recorded end."""
    last_end = int(records.end_ns.max()) // 10**9 + 1 if len(records) else 0
    last_due = int(records.intended_ns.max()) // 10**9 + 1 if len(records) else 0
    return max(1, math.ceil(load_seconds), last_end, last_due)


class ValuesByBin:
    """Values sorted within each of n bins, for percentiles of every bin; +inf is a failure."""

    def __init__(self, bins: Bins, values: NDArray[np.float64], n: int) -> None:
        order = np.argsort(bins, kind="stable")
        self._values = values[order]
        self._counts = np.bincount(bins, minlength=n)[:n]
        self._finite = np.bincount(bins[np.isfinite(values)], minlength=n)[:n]
        ends = np.cumsum(self._counts)
        self._begins = ends - self._counts
        for begin, end in zip(self._begins, ends, strict=True):
            self._values[begin:end].sort()  # thousands of short sorts are ten times faster than a lexsort

    def percentile(self, q: float) -> tuple[float, ...]:
        """Return each bin's nearest-rank q-quantile over all its values; nan for a bin without any."""
        return self._at(q, self._counts)

    def percentile_of_finite(self, q: float) -> tuple[float, ...]:
        """Return each bin's q-quantile over its finite values, which the sort has put first."""
        return self._at(q, self._finite)

    def _at(self, q: float, counts: Bins) -> tuple[float, ...]:
        ranks = np.maximum(np.ceil(q * counts - 1e-9).astype(np.int64), 1)
        picked = np.full(len(counts), np.nan)
        picked[counts > 0] = self._values[(self._begins + ranks - 1)[counts > 0]]
        return tuple(picked.tolist())


def _percentiles(records: Records, due: Bins, n: int) -> dict[str, Any]:
    columns = {}
    for name, seconds in (("ttft", records.ttft_seconds), ("e2e", records.e2e_seconds)):
        values = ValuesByBin(due, seconds, n)
        for label, q in (("p50", 0.5), ("p99", 0.99)):
            columns[f"{name}_{label}"] = values.percentile(q)
            columns[f"{name}_ok_{label}"] = values.percentile_of_finite(q)
    delays = ValuesByBin(due, records.schedule_delay_seconds, n)
    columns["schedule_delay_p99"] = delays.percentile_of_finite(0.99)
    return columns


def _second(instants_ns: NDArray[np.int64]) -> Bins:
    return instants_ns // 10**9


def _count(bins: Bins, n: int, weights: NDArray[np.int32] | None = None) -> tuple[int, ...]:
    return tuple(np.bincount(bins, weights, minlength=n)[:n].astype(np.int64).tolist())


def _in_flight(sent: Bins, ended: Bins, n: int) -> tuple[int, ...]:
    change = np.bincount(sent, minlength=n)[:n] - np.bincount(ended, minlength=n)[:n]
    return tuple(np.cumsum(change).tolist())
