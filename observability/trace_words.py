"""The ids of ``trace_ids`` for many requests at once. Apart from it, so that the target needs no numpy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from observability.trace_ids import FIRST_FACTOR, GAMMA, SECOND_FACTOR, run_keys

Words = NDArray[np.uint64]


def trace_words(run_id: str, seqs: NDArray[np.int64]) -> Words:
    """Return uint64[n, 2]: the high and the low word of each request's trace id."""
    keys = run_keys(run_id)
    low = _mixed(_counter(keys.trace_offset, seqs))
    return np.stack([_mixed(low + np.uint64(keys.high_key)), low], axis=1)


def span_words(run_id: str, seqs: NDArray[np.int64]) -> Words:
    """Return uint64[n]: each request's span id."""
    return _mixed(_counter(run_keys(run_id).span_offset, seqs))


def sampled_words(trace: Words, share: float) -> NDArray[np.bool_]:
    """Return bool[n]: which of the traces (uint64[n, 2]) belong to the ``share`` (0 to 1) that is taken."""
    limit = math.ceil(share * 2**64)
    if limit >= 2**64:
        return np.ones(len(trace), np.bool_)
    return np.asarray(trace[:, 1] < np.uint64(max(limit, 0)))


def _counter(offset: int, seqs: NDArray[np.int64]) -> Words:
    # Arrays of unsigned integers wrap around, which is the arithmetic modulo 2^64 that we want.
    counter = seqs.astype(np.uint64)
    counter += np.uint64(offset)
    counter *= np.uint64(GAMMA)
    return counter


def _mixed(words: Words) -> Words:
    """Mix the words where they lie: without copies it takes half the time."""
    words ^= words >> np.uint64(30)
    words *= np.uint64(FIRST_FACTOR)
    words ^= words >> np.uint64(27)
    words *= np.uint64(SECOND_FACTOR)
    words ^= words >> np.uint64(31)
    return words
