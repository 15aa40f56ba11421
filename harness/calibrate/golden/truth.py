"""The truth of a golden target, read back: one table of requests and two histograms, of all processes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.measure.histogram import LogHistogram

_COLUMNS = ("arrived_ns", "first_due_ns", "first_write_ns", "last_write_ns", "tokens", "status")
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Truth:
    """One entry per request in every column, in the order of arrival.

    Instants are CLOCK_MONOTONIC nanoseconds of the machine, −1 where it did not happen. ``trace_id`` is 32
    hex digits, all zero where the request carried none. ``gaps`` holds every gap between two tokens of a
    stream, ``pace`` the |actual − due| of every write: the golden target's own error.
    """

    arrived_ns: Integers
    first_due_ns: Integers
    first_write_ns: Integers
    last_write_ns: Integers
    tokens: Integers
    status: Integers
    trace_id: NDArray[np.str_]
    gaps: LogHistogram
    pace: LogHistogram

    def __len__(self) -> int:
        return len(self.arrived_ns)

    @property
    def ttft_seconds(self) -> NDArray[np.float64]:
        """First write − arrival; nan where nothing was written."""
        taken = (self.first_write_ns - self.arrived_ns) / 1e9
        return np.where(self.first_write_ns >= 0, taken, np.nan)

    @property
    def pace_error_p99_seconds(self) -> float:
        """The 99th percentile of |actual − due| over all writes; nan where there were none."""
        return self.pace.quantile(0.99)

    @property
    def total_tokens(self) -> int:
        """Tokens written, over all requests."""
        return int(self.tokens.sum())

    def rows_of(self, trace_ids: Iterable[str]) -> Integers:
        """Return the row of each trace id, −1 where the target saw no such request."""
        row_of: Mapping[str, int] = {str(trace): row for row, trace in enumerate(self.trace_id)}
        return np.array([row_of.get(trace, -1) for trace in trace_ids], dtype=np.int64)


def read_truth(log_dir: Path) -> Truth:
    """Merge the files that the processes of one golden target left in ``log_dir``.

    Raises UsageError where there is none, or one that cannot be read.
    """
    files = sorted(log_dir.glob("golden-*.npz"))
    if not files:
        raise UsageError(f"{log_dir}: no golden target has left its log here (golden-*.npz)")
    parts = [_read(file) for file in files]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in (*_COLUMNS, "trace")}
    order = np.argsort(columns["arrived_ns"], kind="stable")
    hex_digits = np.array([row.tobytes().hex() for row in columns.pop("trace")], dtype="<U32")
    return Truth(
        **{name: column[order] for name, column in columns.items()},
        trace_id=hex_digits[order],
        gaps=_merged(part["gaps"] for part in parts),
        pace=_merged(part["pace"] for part in parts),
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        with np.load(file) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{file}: not a golden target's log: {error}") from None


def _merged(texts: Iterable[NDArray[np.uint8]]) -> LogHistogram:
    def merge(merged: LogHistogram, text: NDArray[np.uint8]) -> LogHistogram:
        merged.merge(LogHistogram.from_dict(json.loads(text.tobytes())))
        return merged

    return reduce(merge, texts, LogHistogram())
