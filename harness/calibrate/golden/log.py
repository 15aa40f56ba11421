"""The truth log: when each request arrived, when its first token was due, when it was really written."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.measure.histogram import LogHistogram

TRACE_BYTES = 16
FLUSH_AT = 1 << 20
"""Counting a million values stops the process for some 10 ms: once in that many tokens."""
_NOT_YET = -1
_INTEGERS = ("arrived_ns", "first_due_ns", "first_write_ns", "last_write_ns", "tokens", "status")


@dataclass(frozen=True, slots=True)
class Columns:
    """One log's rows, by the names in the file, and its histograms of gaps and of pace errors."""

    rows: NDArray[Any] | Mapping[str, NDArray[Any]]
    gaps: LogHistogram
    pace: LogHistogram

    def __len__(self) -> int:
        return len(self.rows["tokens"])

    def write(self, file: Path) -> None:
        """Write ``file`` (npz) whole: a reader never sees half of it."""
        columns: dict[str, Any] = {name: self.rows[name].astype(np.int64) for name in _INTEGERS}
        columns |= {"trace": self.rows["trace"], "gaps": _text(self.gaps), "pace": _text(self.pace)}
        unfinished = file.with_suffix(".part")
        with unfinished.open("wb") as out:
            np.savez(out, **columns)
        unfinished.replace(file)


class TruthLog:
    """Columns that grow by a row a request, and every gap and every pace error in histograms: what gRPC's
    half writes, as the HTTP server's half is written in C (``src/truth.h``).

    Instants are CLOCK_MONOTONIC nanoseconds, taken immediately before the write; −1 where it did not happen.
    ``gap_ns`` and ``pace_ns`` are the appends of the two samples: gaps between a stream's consecutive
    tokens, and |actual − due| of every write.
    """

    def __init__(self) -> None:
        self._arrived_ns: array[int] = array("q")
        self._first_due_ns: array[int] = array("q")
        self.first_write_ns: array[int] = array("q")
        self.last_write_ns: array[int] = array("q")
        self.tokens: array[int] = array("q")
        self._status: array[int] = array("q")
        self._traces = bytearray()
        self._gaps: array[int] = array("q")
        self._paces: array[int] = array("q")
        self.gap_ns, self.pace_ns = self._gaps.append, self._paces.append
        self._gap_histogram, self._pace_histogram = LogHistogram(), LogHistogram()

    def __len__(self) -> int:
        return len(self._arrived_ns)

    def begin(self, trace: bytes, arrived_ns: int, first_due_ns: int, status: int) -> int:
        """Append a request that has arrived and return its row; ``trace`` is 16 bytes."""
        self._arrived_ns.append(arrived_ns)
        self._first_due_ns.append(first_due_ns)
        self.first_write_ns.append(_NOT_YET)
        self.last_write_ns.append(_NOT_YET)
        self.tokens.append(0)
        self._status.append(status)
        self._traces += trace
        if len(self._paces) >= FLUSH_AT:
            self.flush()
        return len(self._arrived_ns) - 1

    def flush(self) -> None:
        """Move the samples into the histograms."""
        for samples, histogram in ((self._gaps, self._gap_histogram), (self._paces, self._pace_histogram)):
            histogram.add_many(np.frombuffer(samples, dtype=np.int64))
            del samples[:]  # in place: the appends hold on to this very array

    def columns(self) -> Columns:
        """Return the log so far."""
        self.flush()
        rows: dict[str, NDArray[Any]] = {
            "arrived_ns": _column(self._arrived_ns),
            "first_due_ns": _column(self._first_due_ns),
            "first_write_ns": _column(self.first_write_ns),
            "last_write_ns": _column(self.last_write_ns),
            "tokens": _column(self.tokens),
            "status": _column(self._status),
            "trace": np.frombuffer(bytes(self._traces), dtype=np.uint8).reshape(-1, TRACE_BYTES),
        }
        return Columns(rows, self._gap_histogram, self._pace_histogram)


def _column(values: array[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def _text(histogram: LogHistogram) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(histogram.to_dict()).encode(), dtype=np.uint8)
