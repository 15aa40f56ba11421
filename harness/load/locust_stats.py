"""Finished arrivals into Locust's own statistics: a sum for each batch, not a call for each request.

Locust rounds what it shows to two digits and counts from the first request; its page is for watching, and our
numbers never come from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.load import unpatched
from harness.measure.record import OUTCOMES
from harness.measure.record_batch import RecordBatch


def log_batch(stats: Any, name: str, batch: RecordBatch) -> None:
    """Add a batch to Locust's RequestStats: E2E of every arrival, TTFT of the answers, failures by kind."""
    answered = batch.ok & batch.has_token
    _add(stats, name, "TTFT", (batch.first_token_ns - batch.intended_ns)[answered])
    failed = int((~batch.ok).sum())
    size_bytes = int(batch.bytes_received.sum())
    _add(stats, name, "E2E", batch.end_ns - batch.intended_ns, size_bytes, failed)
    for error, occurrences in _failures(batch):
        _add_error(stats, name, error, occurrences)


def _add(
    stats: Any, name: str, kind: str, took_ns: NDArray[np.int64], size_bytes: int = 0, failed: int = 0
) -> None:
    if len(took_ns):
        part = _entry(stats, name, kind, took_ns)
        part.total_content_length = size_bytes
        part.num_failures = failed
        if failed:
            part.num_fail_per_sec = {int(part.last_request_timestamp): failed}
        for entry in (stats.total, stats.entries[name, kind]):
            entry.extend(part)  # as a master adds what a worker reports


def _entry(stats: Any, name: str, kind: str, took_ns: NDArray[np.int64]) -> Any:
    now_seconds = time.time()
    entry = unpatched.stats.StatsEntry(stats, name, kind)
    entry.num_requests = len(took_ns)
    entry.num_reqs_per_sec = {int(now_seconds): len(took_ns)}
    entry.last_request_timestamp = now_seconds
    entry.total_response_time = int(took_ns.sum()) / 1e6
    entry.min_response_time = int(took_ns.min()) / 1e6
    entry.max_response_time = int(took_ns.max()) / 1e6
    entry.response_times = _rounded(took_ns)
    return entry


def _rounded(took_ns: NDArray[np.int64]) -> dict[int, int]:
    """Return how many took each time in milliseconds, rounded by Locust's function, which can be replaced."""
    counts: dict[int, int] = {}
    of_half_ms = np.bincount(took_ns // 500_000)  # the borders of its roundings lie on half milliseconds
    used = np.flatnonzero(of_half_ms)
    rounding = unpatched.stats.bucket_response_time
    for half, n in zip(used.tolist(), of_half_ms[used].tolist(), strict=True):
        key = _bucket(rounding, half)
        counts[key] = counts.get(key, 0) + n
    return counts


@lru_cache(maxsize=2**16)
def _bucket(rounding: Callable[[float], int], half: int) -> int:
    return rounding(half / 2 + 0.25)


def _failures(batch: RecordBatch) -> Iterator[tuple[str, int]]:
    failed = np.flatnonzero(~batch.ok)
    kinds = batch.outcome[failed].astype(np.int64) * 2**16 + batch.error[failed]
    for kind, count in zip(*(part.tolist() for part in np.unique(kinds, return_counts=True)), strict=True):
        code, word = divmod(kind, 2**16)
        yield f"{OUTCOMES[code]}: {batch.words[word]}", count


def _add_error(stats: Any, name: str, error: str, occurrences: int) -> None:
    kind = unpatched.stats.StatsError
    key = kind.create_key("E2E", name, error)
    entry = stats.errors.setdefault(key, kind("E2E", name, error))
    entry.occurred()  # its instants
    entry.occurrences += occurrences - 1
