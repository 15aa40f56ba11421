"""``tg_histogram``, as both C libraries count with it, and its values on Python's side."""

from __future__ import annotations

import ctypes
from ctypes import c_int64, c_uint64
from typing import Any

import numpy as np

from harness.measure.histogram import BUCKETS, LogHistogram


class Histogram(ctypes.Structure):
    """``src/histogram.h``."""

    _fields_ = [("counts", c_uint64 * BUCKETS), ("count", c_uint64), ("max_ns", c_int64)]


def histogram_at(pointer: Any) -> LogHistogram:
    """Return what the histogram at a pointer has counted so far."""
    found = pointer.contents
    return LogHistogram.from_counts(np.ctypeslib.as_array(found.counts), found.max_ns)
