"""One document for each planned arrival, from the records that the run left. In bounded memory.

Times are milliseconds. What did not happen has no field: an absent first token is not one after 0 ms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from harness.scenario.model import Scenario
from observability.ecs import ECS_VERSION
from observability.elastic.document import Document, make_document
from observability.elastic.streams import Stream

_ROWS = 4096
_COPIED = {
    "trace.id": "trace_id",
    "tidegate.seq": "seq",
    "tidegate.worker": "worker",
    "tidegate.sampled": "sampled",
    "tidegate.outcome": "outcome",
    "error.type": "error_type",
    "http.response.status_code": "http_status",
    "gen_ai.request.max_tokens": "max_tokens",
    "gen_ai.response.finish_reasons": "finish_reason",
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "tidegate.cached_tokens": "cached_tokens",
    "tidegate.token_source": "token_source",
    "tidegate.chunks": "chunks",
    "tidegate.received_bytes": "bytes_received",
    "tidegate.reconnects": "reconnects",
}
_SPANS = {
    "tidegate.schedule_delay_ms": ("intended_ns", "sent_ns"),
    "tidegate.connect_ms": ("sent_ns", "connected_ns"),
    "tidegate.ttft_ms": ("intended_ns", "first_token_ns"),
    "tidegate.ttft_service_ms": ("sent_ns", "first_token_ns"),
    "tidegate.e2e_ms": ("intended_ns", "end_ns"),
}

Column = list[Any]


@dataclass(frozen=True, slots=True)
class DocumentedRun:
    """What the documents need beside the records. ``start_wall_ns``: the run's zero on the wall clock."""

    run_id: str
    scenario: Scenario
    start_wall_ns: int


def request_documents(run_dir: Path, run: DocumentedRun) -> Iterator[Document]:
    """Yield the documents of every records file that can be read; the others are lost records already."""
    for path in sorted(run_dir.glob("records-*.parquet")):
        try:
            file = pq.ParquetFile(path)
        except (ValueError, pa.ArrowException, OSError):
            continue
        with file:
            for batch in file.iter_batches(_ROWS):
                yield from _documents(batch, run)


def _documents(batch: pa.RecordBatch, run: DocumentedRun) -> Iterator[Document]:
    columns = _columns(batch, run)
    names = tuple(columns)
    for row in zip(*columns.values(), strict=True):
        fields = dict(zip(names, row, strict=True))
        identifier = f"{run.run_id}-{fields['tidegate.worker']}-{fields['tidegate.seq']}"
        yield make_document(Stream.REQUESTS, identifier, fields)


def _columns(batch: pa.RecordBatch, run: DocumentedRun) -> Mapping[str, Column]:
    n, table = batch.num_rows, {name: batch.column(name) for name in batch.schema.names}
    stages = np.array([stage.name for stage in run.scenario.stages])
    ok = np.array([outcome == "ok" for outcome in table["outcome"].to_pylist()])
    return {
        "@timestamp": _timestamps(run.start_wall_ns + _integers(table["intended_ns"])),
        "ecs.version": [ECS_VERSION] * n,
        "labels.run_id": [run.run_id] * n,
        "labels.scenario": [run.scenario.name] * n,
        "labels.stage": stages[_integers(table["stage"])].tolist(),
        "gen_ai.request.model": [run.scenario.target.model] * n,
        "event.outcome": np.where(ok, "success", "failure").tolist(),
        "event.duration": (_integers(table["end_ns"]) - _integers(table["intended_ns"])).tolist(),
        "tidegate.due_ms": (_integers(table["intended_ns"]) / 1e6).tolist(),
        **{name: table[column].to_pylist() for name, column in _COPIED.items()},
        **{name: _milliseconds(table[start], table[stop]) for name, (start, stop) in _SPANS.items()},
        "tidegate.tpot_ms": _tpot_ms(table),
        "tidegate.max_gap_ms": [gap / 1e6 if gap else None for gap in table["max_gap_ns"].to_pylist()],
    }


def _timestamps(wall_ns: NDArray[np.int64]) -> Column:
    """Return ISO 8601 in UTC, with microseconds."""
    micros = (wall_ns // 1000).astype("datetime64[us]")
    return [f"{text}Z" for text in np.datetime_as_string(micros).tolist()]


def _milliseconds(start: pa.Array, stop: pa.Array) -> Column:
    elapsed = (stop.fill_null(0).to_numpy() - start.fill_null(0).to_numpy()) / 1e6
    return _where(stop.is_valid().to_numpy(zero_copy_only=False), elapsed)


def _tpot_ms(table: Mapping[str, pa.Array]) -> Column:
    """(last token − first token) ÷ (output tokens − 1); none for fewer than two tokens."""
    first, last = _integers(table["first_token_ns"]), _integers(table["last_token_ns"])
    gaps = _integers(table["output_tokens"]) - 1
    known = table["last_token_ns"].is_valid().to_numpy(zero_copy_only=False) & (gaps > 0)
    return _where(known, (last - first) / 1e6 / np.maximum(gaps, 1))


def _where(known: NDArray[np.bool_], values: NDArray[np.float64]) -> Column:
    return [value if there else None for there, value in zip(known.tolist(), values.tolist(), strict=True)]


def _integers(column: pa.Array) -> NDArray[np.int64]:
    return np.asarray(column.fill_null(0).to_numpy(), np.int64)
