"""Finished arrivals as columns: how records travel from the engine to the file, the counters, the pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from harness.measure import record_arrow
from harness.measure.record import OUTCOMES, TOKEN_SOURCES, Outcome, RequestRecord
from harness.measure.timings import MISSING, Instants, Mask

Words = NDArray[np.uint16]
Gaps = tuple[NDArray[np.int64], NDArray[np.int32]]
"""(all gaps one after the other in nanoseconds, how many belong to each record; −1 where none were kept)."""

_OUTCOME_CODE = {outcome: code for code, outcome in enumerate(OUTCOMES)}
_SOURCE_CODE = {source: code for code, source in enumerate(TOKEN_SOURCES)}
OK_CODE = _OUTCOME_CODE[Outcome.OK]


@dataclass(frozen=True, slots=True, eq=False)
class RecordBatch:
    """n finished arrivals of one worker, one entry each in every column; any order.

    Instants are nanoseconds since the run's start, ``MISSING`` (−1) where the event did not happen;
    ``intended_ns`` and ``end_ns`` never are. ``http_status`` and ``cached_tokens`` may be missing too.
    ``trace`` is uint64[n, 2], the high and the low word of each trace id. ``outcome`` and ``token_source``
    are indexes into ``OUTCOMES`` and ``TOKEN_SOURCES``, ``error`` and ``finish_reason`` into ``words``, whose
    entry 0 stands for none. Columns may be views with strides. Nobody changes a batch that was handed on.
    """

    worker: int
    words: Sequence[str]
    seq: NDArray[np.int64]
    stage: NDArray[np.uint8]
    trace: NDArray[np.uint64]
    sampled: Mask
    intended_ns: Instants
    sent_ns: Instants
    connected_ns: Instants
    first_byte_ns: Instants
    first_token_ns: Instants
    last_token_ns: Instants
    end_ns: Instants
    outcome: NDArray[np.uint8]
    http_status: NDArray[np.int16]
    error: Words
    finish_reason: Words
    input_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]
    max_tokens: NDArray[np.int32]
    chunks: NDArray[np.int32]
    cached_tokens: NDArray[np.int32]
    token_source: NDArray[np.uint8]
    max_gap_ns: NDArray[np.int64]
    bytes_received: NDArray[np.int64]
    reconnects: NDArray[np.uint8]
    gaps_ns: Gaps | None = None

    def __len__(self) -> int:
        return len(self.seq)

    @property
    def ok(self) -> Mask:
        """Which requests succeeded."""
        return np.asarray(self.outcome == OK_CODE)

    @property
    def was_sent(self) -> Mask:
        """Which requests went out."""
        return np.asarray(self.sent_ns != MISSING)

    @property
    def has_token(self) -> Mask:
        """Which requests got a first token, whatever became of them."""
        return np.asarray(self.first_token_ns != MISSING)

    def trace_id(self, row: int) -> str:
        """Return the 32 hex digits of one record's trace."""
        high, low = self.trace[row]
        return f"{high:016x}{low:016x}"

    def rows(self, start: int, stop: int) -> RecordBatch:
        """Return the records ``start`` to ``stop`` − 1, as views."""
        columns = {name: getattr(self, name)[start:stop] for name in COLUMNS}
        return RecordBatch(self.worker, self.words, **columns, gaps_ns=_gap_rows(self.gaps_ns, start, stop))

    def to_arrow(self) -> pa.RecordBatch:
        """Return the columns in ``record.SCHEMA``; what is missing becomes null."""
        return record_arrow.to_arrow(self)

    @staticmethod
    def from_records(records: Sequence[RequestRecord], worker: int) -> RecordBatch:
        """Return records as columns. Raise ValueError where a trace id is not 32 hex digits."""
        words, (error, finish_reason) = _numbered(
            [record.error_type for record in records], [record.finish_reason for record in records]
        )
        plain = {name: _column(records, name, dtype) for name, dtype in _PLAIN.items()}
        return RecordBatch(
            worker,
            words,
            **plain,
            trace=_trace_words([record.trace_id for record in records]),
            outcome=np.array([_OUTCOME_CODE[record.outcome] for record in records], np.uint8),
            token_source=np.array([_SOURCE_CODE[record.token_source] for record in records], np.uint8),
            error=error,
            finish_reason=finish_reason,
            gaps_ns=_gaps_of([record.gaps_ns for record in records]),
        )

    @staticmethod
    def concat(batches: Sequence[RecordBatch]) -> RecordBatch:
        """Return one worker's batches as one. Raise ValueError for none, or for those of several workers."""
        if len({batch.worker for batch in batches}) != 1:
            raise ValueError("only batches of one worker, and at least one of them, make a batch")
        if len(batches) == 1:
            return batches[0]
        words, batches = _with_common_words(batches)
        columns = {name: np.concatenate([getattr(b, name) for b in batches]) for name in COLUMNS}
        return RecordBatch(batches[0].worker, words, **columns, gaps_ns=_joined_gaps(batches))


_NOT_COLUMNS = {"worker", "words", "gaps_ns"}
COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(RecordBatch) if f.name not in _NOT_COLUMNS)
"""The names of the columns with one entry per record."""

_PLAIN: dict[str, DTypeLike] = {
    "seq": np.int64,
    "stage": np.uint8,
    "sampled": np.bool_,
    "intended_ns": np.int64,
    "sent_ns": np.int64,
    "connected_ns": np.int64,
    "first_byte_ns": np.int64,
    "first_token_ns": np.int64,
    "last_token_ns": np.int64,
    "end_ns": np.int64,
    "http_status": np.int16,
    "input_tokens": np.int32,
    "output_tokens": np.int32,
    "max_tokens": np.int32,
    "chunks": np.int32,
    "cached_tokens": np.int32,
    "max_gap_ns": np.int64,
    "bytes_received": np.int64,
    "reconnects": np.uint8,
}


def _column(records: Sequence[RequestRecord], name: str, dtype: DTypeLike) -> NDArray[Any]:
    values = [MISSING if value is None else value for value in map(attrgetter(name), records)]
    return np.array(values, dtype)


def _trace_words(trace_ids: Sequence[str]) -> NDArray[np.uint64]:
    if any(len(trace) != 32 for trace in trace_ids):
        raise ValueError("a trace id has 32 hex digits")
    return np.frombuffer(bytes.fromhex("".join(trace_ids)), ">u8").reshape(-1, 2).astype(np.uint64)


def _numbered(*columns: Sequence[str | None]) -> tuple[list[str], list[Words]]:
    """Return the words of all columns, "" first, and each column as indexes into them."""
    number = {"": 0}
    numbers = [
        np.array([number.setdefault(word or "", len(number)) for word in column], np.uint16)
        for column in columns
    ]
    return list(number), numbers


def _with_common_words(batches: Sequence[RecordBatch]) -> tuple[Sequence[str], Sequence[RecordBatch]]:
    longest = max((batch.words for batch in batches), key=len)
    if all(batch.words is longest or _begins(longest, batch.words) for batch in batches):
        return longest, batches  # one engine's table only grows
    number = {"": 0}
    renumbered = [_renumbered(batch, number) for batch in batches]
    return list(number), renumbered


def _begins(words: Sequence[str], start: Sequence[str]) -> bool:
    return list(words[: len(start)]) == list(start)


def _renumbered(batch: RecordBatch, number: dict[str, int]) -> RecordBatch:
    new = np.array([number.setdefault(word, len(number)) for word in batch.words], np.uint16)
    columns = {name: getattr(batch, name) for name in COLUMNS}
    columns |= {"error": new[batch.error], "finish_reason": new[batch.finish_reason]}
    return RecordBatch(batch.worker, batch.words, **columns, gaps_ns=batch.gaps_ns)


def _gaps_of(lists: Sequence[list[int] | None]) -> Gaps | None:
    if all(gaps is None for gaps in lists):
        return None
    counts = np.array([MISSING if gaps is None else len(gaps) for gaps in lists], np.int32)
    return np.array([gap for gaps in lists for gap in gaps or ()], np.int64), counts


def _gap_rows(gaps: Gaps | None, start: int, stop: int) -> Gaps | None:
    if gaps is None:
        return None
    values, counts = gaps
    first = int(np.maximum(counts[:start], 0).sum())
    n = int(np.maximum(counts[start:stop], 0).sum())
    return values[first : first + n], counts[start:stop]


def _joined_gaps(batches: Iterable[RecordBatch]) -> Gaps | None:
    parts = [_gaps_or_missing(batch) for batch in batches]
    if all(values is None for values, _ in parts):
        return None
    flat = np.concatenate([values for values, _ in parts if values is not None])
    return flat, np.concatenate([counts for _, counts in parts])


def _gaps_or_missing(batch: RecordBatch) -> tuple[NDArray[np.int64] | None, NDArray[np.int32]]:
    if batch.gaps_ns is None:
        return None, np.full(len(batch), MISSING, np.int32)
    return batch.gaps_ns
