"""A Prometheus histogram that takes ten thousand values for the price of a few."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Histogram
from prometheus_client.samples import Exemplar


class BulkHistogram(Histogram):
    """``Histogram`` with ``observe_many``; its page cannot be told from that of ``observe`` for each value.

    The library has no such method, so this one adds to the library's own buckets, by the names that they have
    there: a release that renames them breaks every test of this class.
    """

    def observe_many(
        self,
        values_ns: NDArray[np.int64],
        exemplar_rows: NDArray[np.intp],
        exemplar_labels: Callable[[int], Mapping[str, str]],
    ) -> None:
        """Count every duration. The newest of the ``exemplar_rows`` in each bucket becomes its exemplar.

        ``exemplar_rows`` are ascending indexes into ``values_ns``; ``exemplar_labels`` is called with few.
        """
        seconds = values_ns / 1e9
        bucket = np.searchsorted(self._upper_bounds, seconds)  # the first bound that is not below the value
        self._sum.inc(int(values_ns.sum()) / 1e9)
        counts = np.bincount(bucket, minlength=len(self._upper_bounds))
        for i in np.flatnonzero(counts).tolist():
            self._buckets[i].inc(int(counts[i]))
        now_seconds = time.time()
        for i, row in _newest_rows(bucket, exemplar_rows):
            labels = dict(exemplar_labels(row))
            self._buckets[i].set_exemplar(Exemplar(labels, float(seconds[row]), now_seconds))


def _newest_rows(bucket: NDArray[np.intp], rows: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Return (bucket, its last row) for each bucket that one of the ascending rows falls into."""
    latest, at = np.unique(bucket[rows[::-1]], return_index=True)
    return list(zip(latest.tolist(), rows[::-1][at].tolist(), strict=True))
