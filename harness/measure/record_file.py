"""How records lie in ``records-<worker>.parquet``: the encoding of each column, chosen for speed and size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from harness.measure.record import SCHEMA

_GAPS = "gaps_ns.list.element"
_VARIED = (
    *("seq", "intended_ns", "sent_ns", "connected_ns", "first_byte_ns", "first_token_ns", "last_token_ns"),
    *("end_ns", "max_gap_ns", "bytes_received", "input_tokens", "output_tokens", "chunks", _GAPS),
)
"""Integers with many values: differences of neighbours in as few bits as they need. Compressing them again
took 8 % of the time and saved nothing."""

_ALIKE = (
    *("worker", "stage", "http_status", "max_tokens", "cached_tokens", "reconnects"),
    *("outcome", "token_source", "error_type", "finish_reason"),
)
"""Columns with few values: numbers of a dictionary's entries."""

_LOOKED_UP = ("seq", "intended_ns")
"""Their bounds let a reader skip row groups; for all columns they would cost a sixth of the time."""


def open_record_file(path: Path) -> Any:
    """Return a writer of ``SCHEMA``, pyarrow's ParquetWriter. Raise OSError where the file cannot be made."""
    encodings = dict.fromkeys(_VARIED, "DELTA_BINARY_PACKED")
    encodings["trace_id"] = "DELTA_LENGTH_BYTE_ARRAY"  # the lengths, all alike, cost nothing
    return pq.ParquetWriter(
        path,
        SCHEMA,
        compression={name: "none" if name in _VARIED else "zstd" for name in [*SCHEMA.names, _GAPS]},
        use_dictionary=list(_ALIKE),
        column_encoding=encodings,
        write_statistics=list(_LOOKED_UP),
    )
