"""The compiled core's records as a `RecordBatch`: its numbers, joined with what was planned and asked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.arrivals.plan import Plan
from harness.core.engine import CoreEngine
from harness.load.native_feed import NativeFeed
from harness.measure.record import TOKEN_SOURCES, TokenSource
from harness.measure.record_batch import RecordBatch
from harness.measure.timings import MISSING
from observability.trace_words import sampled_words, trace_words

_INSTANTS = (
    *("intended_ns", "sent_ns", "connected_ns", "first_byte_ns", "first_token_ns", "last_token_ns"),
    "end_ns",
)
_UNCHANGED = (
    *("stage", "outcome", "http_status", "error", "finish_reason", "chunks", "cached_tokens"),
    *("max_gap_ns", "bytes_received", "reconnects"),
)
_CODE = {source: code for code, source in enumerate(TOKEN_SOURCES)}


class NativeRecords:
    """Takes what has finished out of the core."""

    def __init__(
        self, core: CoreEngine, plan: Plan, feed: NativeFeed, worker: int, run_id: str, sample_share: float
    ) -> None:
        self._core = core
        self._plan = plan
        self._feed = feed
        self._worker = worker
        self._run_id = run_id
        self._sample_share = sample_share

    def take(self, zero_ns: int) -> RecordBatch | None:
        """Return what has finished since the last call; its instants count from ``zero_ns``."""
        records, gaps = self._core.take()
        return self._batch(records, gaps, zero_ns) if len(records) else None

    def _batch(self, records: NDArray[Any], gaps: NDArray[np.int64], zero_ns: int) -> RecordBatch:
        rows = records["index"]
        seqs = self._plan.seq[rows]
        trace = trace_words(self._run_id, seqs)
        columns: dict[str, Any] = {name: _since(zero_ns, records[name]) for name in _INSTANTS}
        columns |= {name: records[name] for name in _UNCHANGED}
        prompt, used, chunks = (records[name] for name in ("prompt_tokens", "completion_tokens", "chunks"))
        return RecordBatch(
            worker=self._worker,
            words=self._core.words(int(max(records["error"].max(), records["finish_reason"].max()))),
            seq=seqs,
            trace=trace,
            sampled=sampled_words(trace, self._sample_share),
            input_tokens=np.where(prompt == MISSING, self._feed.input_tokens[rows], prompt),
            output_tokens=np.where(used == MISSING, chunks, used),
            max_tokens=self._feed.max_tokens[rows],
            token_source=_token_source(used, chunks),
            gaps_ns=(gaps, records["gaps"].astype(np.int32)) if len(gaps) else None,
            **columns,
        )


def _since(zero_ns: int, instants_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(instants_ns == MISSING, MISSING, instants_ns - zero_ns)


def _token_source(used: NDArray[np.int32], chunks: NDArray[np.int32]) -> NDArray[np.uint8]:
    counted = np.where(chunks > 0, _CODE[TokenSource.CHUNKS], _CODE[TokenSource.NONE])
    return np.where(used != MISSING, _CODE[TokenSource.USAGE], counted).astype(np.uint8)
