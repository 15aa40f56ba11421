"""A batch of records as Arrow columns in ``record.SCHEMA``, without a step of Python for each record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from harness.measure.record import OUTCOMES, SCHEMA, TOKEN_SOURCES
from harness.measure.timings import MISSING

if TYPE_CHECKING:
    from harness.measure.record_batch import Gaps, RecordBatch

_TRACE_CHARACTERS = 32
_TWO_OCTETS = np.arange(2**16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
_HEX_PAIR = np.frombuffer("".join(f"{octet:02x}" for octet in range(256)).encode(), np.uint16)
_HEX_FOUR = _HEX_PAIR[_TWO_OCTETS].view(np.uint32).ravel()
"""The four hex digits of every two octets, number and digits as they lie in memory."""


def to_arrow(batch: RecordBatch) -> pa.RecordBatch:
    """Return the batch in ``SCHEMA``; what is missing becomes null."""
    special = {
        "worker": pa.repeat(pa.scalar(batch.worker, pa.uint16()), len(batch)),
        "trace_id": _hex(batch.trace),
        "outcome": _fixed_words(batch.outcome, OUTCOMES),
        "token_source": _fixed_words(batch.token_source, TOKEN_SOURCES),
        "error_type": _used_words(batch.error, batch.words),
        "finish_reason": _used_words(batch.finish_reason, batch.words),
        "gaps_ns": _lists(batch.gaps_ns, len(batch)),
    }
    columns = [special[f.name] if f.name in special else _plain(batch, f) for f in SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _plain(batch: RecordBatch, field: pa.Field) -> pa.Array:
    values = getattr(batch, field.name)
    if not field.nullable:
        return pa.array(values, field.type)
    missing = values == MISSING
    return pa.array(values, field.type, mask=missing if missing.any() else None)


def _hex(trace: NDArray[np.uint64]) -> pa.Array:
    # take, not an index: five times as fast, and other threads run meanwhile
    digits = np.take(_HEX_FOUR, trace.astype(">u8", order="C").view(np.uint16).ravel())
    offsets = np.arange(len(trace) + 1, dtype=np.int32) * _TRACE_CHARACTERS
    return pa.StringArray.from_buffers(len(trace), pa.py_buffer(offsets), pa.py_buffer(digits))


def _fixed_words(codes: NDArray[np.uint8], words: Sequence[str]) -> pa.Array:
    indices = pa.array(codes.astype(np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array([str(word) for word in words]))


def _used_words(numbers: NDArray[np.uint16], words: Sequence[str]) -> pa.Array:
    """Return a column whose dictionary has the words that occur: the engine's table may hold thousands."""
    used = 1 + np.flatnonzero(np.bincount(numbers, minlength=1)[1:])
    index = np.zeros(len(words), np.int32)
    index[used] = np.arange(len(used))
    indices = pa.array(np.take(index, numbers), mask=np.asarray(numbers == 0))
    return pa.DictionaryArray.from_arrays(indices, pa.array([words[i] for i in used.tolist()], pa.string()))


def _lists(gaps: Gaps | None, n: int) -> pa.Array:
    if gaps is None:
        return pa.nulls(n, SCHEMA.field("gaps_ns").type)
    values, counts = gaps
    offsets = np.concatenate([[0], np.cumsum(np.maximum(counts, 0))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), mask=pa.array(counts == MISSING))
