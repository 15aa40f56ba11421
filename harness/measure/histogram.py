"""A mergeable histogram of durations with a bounded relative error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PRECISION_BITS = 6
_SUB_BUCKETS = 1 << _PRECISION_BITS
# Bucket of v: shift = bit_length − 7, index = 64·shift + (v >> shift). 63 bits of nanoseconds end at 3711.
BUCKETS = (63 - _PRECISION_BITS - 1) * _SUB_BUCKETS + 2 * _SUB_BUCKETS

RELATIVE_ERROR = 1 / (2 * _SUB_BUCKETS)
"""Largest |quantile − true order statistic| ÷ true value: half a bucket (0.78 %)."""


class LogHistogram:
    """Counts of durations in nanoseconds, 64 buckets in every power of two; below 128 ns it is exact.

    Merging adds counts, so the histogram of a merged sample is the merge of its parts' histograms.
    A negative duration counts as zero.
    """

    __slots__ = ("_counts", "count", "max_ns")

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self.count = 0
        self.max_ns = 0

    @classmethod
    def from_counts(cls, counts: NDArray[Any], max_ns: int) -> LogHistogram:
        """Return a histogram with a count for each of the ``BUCKETS`` buckets."""
        histogram = cls()
        histogram._add_buckets(np.asarray(counts).astype(np.int64))
        histogram.max_ns = max_ns
        return histogram

    def add(self, value_ns: int) -> None:
        """Count one duration. Written for the load loop: a few hundred nanoseconds."""
        if value_ns < 0:
            value_ns = 0
        if value_ns > self.max_ns:
            self.max_ns = value_ns
        shift = value_ns.bit_length() - 7
        if shift < 0:
            shift = 0
        self._counts[(shift << 6) + (value_ns >> shift)] += 1
        self.count += 1

    def add_many(self, values_ns: NDArray[np.int64]) -> None:
        """Count every duration of an array."""
        if not len(values_ns):
            return
        values = np.maximum(np.asarray(values_ns, dtype=np.int64), 0)
        self._add_buckets(np.bincount(_bucket_of(values), minlength=BUCKETS))
        self.max_ns = max(self.max_ns, int(values.max()))

    def merge(self, other: LogHistogram) -> None:
        """Add the other histogram's counts to this one."""
        self._add_buckets(np.asarray(other._counts))
        self.max_ns = max(self.max_ns, other.max_ns)

    def add_counts(self, buckets: Sequence[int], counts: Sequence[int], max_ns: int) -> None:
        """Add counts by bucket, as ``to_dict`` has them: cheap where few buckets are used."""
        mine = self._counts
        for index, count in zip(buckets, counts, strict=True):
            mine[index] += count
        self.count += sum(counts)
        self.max_ns = max(self.max_ns, max_ns)

    def since(self, earlier: LogHistogram) -> LogHistogram:
        """Return what was counted after ``earlier``, an older state of this; the maximum is that of all."""
        new = np.asarray(self._counts, dtype=np.int64) - np.asarray(earlier._counts, dtype=np.int64)
        return LogHistogram.from_counts(new, self.max_ns if new.any() else 0)

    def quantile(self, q: float) -> float:
        """Return the nearest-rank q-quantile in seconds (q in 0..1); nan when nothing was counted."""
        return self.value_at_rank(max(1, math.ceil(q * self.count - 1e-9)))

    def value_at_rank(self, rank: int) -> float:
        """Return the rank-th smallest duration (1-based) in seconds, within ``RELATIVE_ERROR``; else nan."""
        if not 1 <= rank <= self.count:
            return math.nan
        index = int(np.searchsorted(np.cumsum(self._counts), rank))
        return min(_middle_ns(index), self.max_ns) / 1e9

    @property
    def mean_seconds(self) -> float:
        """The mean, within ``RELATIVE_ERROR``; nan when nothing was counted."""
        if not self.count:
            return math.nan
        return sum(_middle_ns(i) * n for i, n in enumerate(self._counts) if n) / self.count / 1e9

    @property
    def max_seconds(self) -> float:
        """The largest duration, exact; 0 when nothing was counted."""
        return self.max_ns / 1e9

    def counts_up_to(self, bounds_ns: Sequence[float]) -> list[int]:
        """Return how many durations are at most each bound, where a bucket counts by its middle."""
        used = [i for i, n in enumerate(self._counts) if n]
        so_far = np.cumsum([0, *(self._counts[i] for i in used)])
        at = np.searchsorted([_middle_ns(i) for i in used], bounds_ns, side="right")
        return list(map(int, so_far[at]))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: the buckets that are not empty."""
        used = [i for i, n in enumerate(self._counts) if n]
        return {
            "precision_bits": _PRECISION_BITS,
            "max_ns": self.max_ns,
            "buckets": used,
            "counts": [self._counts[i] for i in used],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LogHistogram:
        """Read ``to_dict``'s form. Raise ValueError when it was written with another precision."""
        if data["precision_bits"] != _PRECISION_BITS:
            raise ValueError(f"histogram precision is {data['precision_bits']} bits, not {_PRECISION_BITS}")
        histogram = cls()
        for index, count in zip(data["buckets"], data["counts"], strict=True):
            histogram._counts[index] = count
        histogram.count = sum(data["counts"])
        histogram.max_ns = data["max_ns"]
        return histogram

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LogHistogram) and self._counts == other._counts and self.max_ns == other.max_ns
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def _add_buckets(self, counts: NDArray[np.int64]) -> None:
        for index in np.flatnonzero(counts):
            self._counts[index] += int(counts[index])
        self.count += int(counts.sum())


def _bucket_of(values_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    # frexp of a rounded float may give one bit too many: shift+1 with (v >> shift+1) = 63 is the same index
    # as shift with (v >> shift) = 127, so the rounding cannot be seen.
    shift = np.maximum(np.frexp(values_ns.astype(np.float64))[1].astype(np.int64) - 7, 0)
    return np.asarray((shift << _PRECISION_BITS) + (values_ns >> shift), dtype=np.int64)


def _middle_ns(index: int) -> float:
    if index < 2 * _SUB_BUCKETS:
        return float(index)
    shift = (index >> _PRECISION_BITS) - 1
    low = (index - (shift << _PRECISION_BITS)) << shift
    return low + ((1 << shift) - 1) / 2
