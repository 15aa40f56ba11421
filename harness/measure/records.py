"""The raw records of a run as columns, read from ``records-<worker>.parquet``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from harness.measure import timings
from harness.measure.record import OUTCOMES, SCHEMA, Outcome
from harness.measure.timings import MISSING, Instants, Mask, Seconds

_OUTCOME_CODE = {str(outcome): code for code, outcome in enumerate(OUTCOMES)}
_INTEGER_COLUMNS = (
    *("seq", "worker", "stage", "intended_ns", "end_ns", "sent_ns", "first_token_ns", "last_token_ns"),
    *("http_status", "input_tokens", "output_tokens", "max_tokens", "chunks", "max_gap_ns", "reconnects"),
)

_READ = pa.schema([SCHEMA.field(name) for name in (*_INTEGER_COLUMNS, "outcome", "token_source", "trace_id")])


@dataclass(frozen=True, slots=True)
class Records:
    """One entry per record in every column, sorted by seq (the order of the due times).

    ``outcome`` holds indexes into ``OUTCOMES``. Missing instants are −1, and so is a missing ``http_status``.
    ``unreadable`` names files that could not be read (a worker that was killed leaves one): their records are
    lost.
    """

    seq: NDArray[np.int64]
    worker: NDArray[np.uint16]
    stage: NDArray[np.uint8]
    outcome: NDArray[np.uint8]
    intended_ns: Instants
    end_ns: Instants
    sent_ns: Instants
    first_token_ns: Instants
    last_token_ns: Instants
    http_status: NDArray[np.int16]
    input_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]
    max_tokens: NDArray[np.int32]
    counted_by_usage: Mask
    chunks: NDArray[np.int32]
    max_gap_ns: Instants
    reconnects: NDArray[np.uint8]
    trace_id: pa.Array
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.seq)

    def pick(self, which: Mask | NDArray[np.intp]) -> Records:
        """Return the records under a mask or in an order of indexes."""
        rows = np.flatnonzero(which) if which.dtype == np.bool_ else which
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        picked = {
            name: column.take(pa.array(rows)) if name == "trace_id" else column[rows]
            for name, column in columns.items()
            if name != "unreadable"
        }
        return Records(**picked, unreadable=self.unreadable)

    def for_stage(self, index: int) -> Records:
        """Return the records of the scenario's stage ``index``."""
        return self.pick(self.stage == index)

    def ended_as(self, *outcomes: Outcome) -> Mask:
        """Return which records ended in one of the outcomes."""
        wanted = np.array([outcome in outcomes for outcome in OUTCOMES])
        return np.asarray(wanted[self.outcome])

    @property
    def ok(self) -> Mask:
        """Which requests succeeded."""
        return self.ended_as(Outcome.OK)

    @property
    def was_sent(self) -> Mask:
        """Which requests went out."""
        return np.asarray(self.sent_ns != MISSING)

    @property
    def intended_seconds(self) -> Seconds:
        """When each request was due, after the run's start."""
        return self.intended_ns / 1e9

    @property
    def end_seconds(self) -> Seconds:
        """When each request ended, after the run's start."""
        return self.end_ns / 1e9

    @property
    def ttft_seconds(self) -> Seconds:
        """First token − due; +inf for every request that failed."""
        return timings.latency_seconds(self.intended_ns, self.first_token_ns, self.ok)

    @property
    def ttft_service_seconds(self) -> Seconds:
        """First token − actual send; +inf for every request that failed."""
        return timings.latency_seconds(self.sent_ns, self.first_token_ns, self.ok)

    @property
    def e2e_seconds(self) -> Seconds:
        """Last byte − due; +inf for every request that failed."""
        return timings.latency_seconds(self.intended_ns, self.end_ns, self.ok)

    @property
    def tpot_seconds(self) -> Seconds:
        """Time per output token after the first; nan (to be left out) for one token, +inf for a failure."""
        return timings.tpot_seconds(self.first_token_ns, self.last_token_ns, self.output_tokens, self.ok)

    @property
    def mean_gap_seconds(self) -> Seconds:
        """Mean gap between a request's chunks; nan (to be left out) for one chunk, +inf for a failure."""
        return timings.mean_gap_seconds(self.first_token_ns, self.last_token_ns, self.chunks, self.ok)

    @property
    def schedule_delay_seconds(self) -> Seconds:
        """Actual send − due; +inf for requests that were never sent."""
        return timings.schedule_delay_seconds(self.intended_ns, self.sent_ns)


def read_records(run_dir: Path) -> Records:
    """Read every ``records-*.parquet`` of a run's folder, sorted by seq."""
    tables, unreadable = [], []
    for path in sorted(run_dir.glob("records-*.parquet")):
        try:
            tables.append(pq.read_table(path, columns=_READ.names).cast(_READ))
        except (ValueError, pa.ArrowException, OSError) as error:  # cut off, or not records at all
            unreadable.append(f"{path.name}: {error}")
    return from_tables(tables, tuple(unreadable))


def from_tables(tables: Iterable[pa.Table], unreadable: tuple[str, ...] = ()) -> Records:
    """Build the columns from Arrow tables in ``record.SCHEMA``; sorted by seq."""
    table = pa.concat_tables([SCHEMA.empty_table(), *tables], promote_options="default")
    records = Records(
        **{name: _integers(table, name) for name in _INTEGER_COLUMNS},
        outcome=_codes(table, "outcome", _OUTCOME_CODE).astype(np.uint8),
        counted_by_usage=_codes(table, "token_source", {"usage": 1, "chunks": 0, "none": 0}) == 1,
        trace_id=table["trace_id"].combine_chunks(),
        unreadable=unreadable,
    )
    in_order = bool((np.diff(records.seq) >= 0).all())
    return records if in_order else records.pick(np.argsort(records.seq, kind="stable"))


def _integers(table: pa.Table, name: str) -> NDArray[Any]:
    column = table[name]
    filled = column.fill_null(MISSING) if column.null_count else column
    return np.asarray(filled.to_numpy())


def _codes(table: pa.Table, name: str, code_of: Mapping[str, int]) -> NDArray[np.int64]:
    # Dictionary encoding: a million strings are compared as a handful of words.
    encoded = table[name].combine_chunks().dictionary_encode()
    words = [code_of[word] for word in encoded.dictionary.to_pylist()]
    codes: NDArray[np.int64] = np.asarray(words, dtype=np.int64)[encoded.indices.to_numpy()]
    return codes
