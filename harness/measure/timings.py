"""The formulas of a request's latencies, over columns of instants.

Instants are int64 nanoseconds since the run's start, ``MISSING`` where the event did not happen. Results are
float64 seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MISSING = -1
"""A missing instant; a real one is never negative."""

Instants = NDArray[np.int64]
Mask = NDArray[np.bool_]
Seconds = NDArray[np.float64]
Counts = NDArray[np.int32]


def latency_seconds(start_ns: Instants, stop_ns: Instants, ok: Mask) -> Seconds:
    """Return stop − start; +inf where the request failed or either instant is missing.

    ttft = first_token − intended, ttft_service = first_token − sent, e2e = end − intended.
    """
    known = ok & (start_ns != MISSING) & (stop_ns != MISSING)
    return np.where(known, (stop_ns - start_ns) / 1e9, np.inf)


def schedule_delay_seconds(intended_ns: Instants, sent_ns: Instants) -> Seconds:
    """Return sent − intended; +inf where the request was never sent, whatever became of the others."""
    return np.where(sent_ns != MISSING, (sent_ns - intended_ns) / 1e9, np.inf)


def tpot_seconds(first_ns: Instants, last_ns: Instants, output_tokens: Counts, ok: Mask) -> Seconds:
    """Return (last token − first token) ÷ (output tokens − 1); nan for one token, +inf for a failure."""
    gaps = np.maximum(output_tokens.astype(np.int64) - 1, 1)
    measured = np.where(output_tokens > 1, (last_ns - first_ns) / 1e9 / gaps, np.nan)
    return np.where(ok, measured, np.inf)


def mean_gap_seconds(first_ns: Instants, last_ns: Instants, chunks: Counts, ok: Mask) -> Seconds:
    """Return the mean gap between a request's content chunks; nan for one chunk, +inf for a failure."""
    gaps = np.maximum(chunks.astype(np.int64) - 1, 1)
    measured = np.where(chunks > 1, (last_ns - first_ns) / 1e9 / gaps, np.nan)
    return np.where(ok, measured, np.inf)
