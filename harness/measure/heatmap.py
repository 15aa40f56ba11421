"""TTFT over time as counts in a grid: what a percentile's line cannot show (two modes, a thin tail)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.measure.records import Records
from harness.measure.summary import Heatmap

_MAX_COLUMNS = 240  # more columns than a page has room for would only make the file bigger
_EDGES: NDArray[np.float64] = np.geomspace(0.001, 0.001 * 1.25**53, 54)  # 1 ms to 137 s, steps of × 1.25


def build_heatmap(records: Records, seconds: int) -> Heatmap:
    """Count the successes of ``seconds`` seconds by due time and TTFT."""
    width = math.ceil(seconds / _MAX_COLUMNS)
    columns = math.ceil(seconds / width)
    column = records.intended_ns // (width * 10**9)
    ttft = records.ttft_seconds
    known = np.isfinite(ttft)
    edges = _edges(ttft[known])
    row = np.clip(np.searchsorted(edges, ttft[known], side="right") - 1, 0, len(edges) - 2)
    flat = np.bincount(column[known] * (len(edges) - 1) + row, minlength=columns * (len(edges) - 1))
    return Heatmap(
        time_edges_seconds=tuple(float(i * width) for i in range(columns + 1)),
        latency_edges_seconds=tuple(edges.tolist()),
        counts=tuple(map(tuple, flat.reshape(columns, -1).tolist())),
        without_ttft=tuple(np.bincount(column[~known], minlength=columns).tolist()),
    )


def _edges(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of the ladder that enclose the values; one bin when there are none."""
    if not len(seconds):
        return _EDGES[:2]
    first = int(np.clip(np.searchsorted(_EDGES, seconds.min(), side="right") - 1, 0, len(_EDGES) - 2))
    last = int(np.clip(np.searchsorted(_EDGES, seconds.max(), side="right"), first + 1, len(_EDGES) - 1))
    return _EDGES[first : last + 1]
