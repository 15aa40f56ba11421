"""Which requests of a run get a log line and a span of their own.

All of them would repeat the records. Logs and traces are read for what went wrong, so they have every failed
request, every sampled one (the target was asked to trace it too) and the slowest one percent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.measure.records import Records
from observability.trace_ids import sampled

_SLOWEST_SHARE = 0.01


def worth_telling(records: Records, sample_share: float) -> NDArray[np.intp]:
    """Return the rows of these requests, in the records' order."""
    traced = np.fromiter(
        (sampled(str(trace), sample_share) for trace in records.trace_id), bool, len(records)
    )
    return np.flatnonzero(~records.ok | traced | _slowest(records))


def _slowest(records: Records) -> NDArray[np.bool_]:
    ok = records.ok
    if not ok.any():
        return np.zeros(len(records), dtype=bool)
    bound = np.quantile(records.e2e_seconds[ok], 1 - _SLOWEST_SHARE)
    return ok & (records.e2e_seconds >= bound)
