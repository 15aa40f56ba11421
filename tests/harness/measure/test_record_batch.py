from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measure.record import OUTCOMES, SCHEMA, Outcome, RequestRecord, TokenSource
from harness.measure.record_batch import COLUMNS, RecordBatch
from harness.measure.record_file import open_record_file
from harness.measure.records import Records, from_tables, read_records
from tests.harness.measure.build import record, requests_in, table_of

_INSTANTS = st.integers(0, 2**62)
_WORDS = st.none() | st.sampled_from(["stop", "length", "read timeout", "größer"])
REQUESTS = st.builds(
    RequestRecord,
    seq=st.integers(0, 2**62),
    worker=st.just(3),
    stage=st.integers(0, 255),
    trace_id=st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}"),
    sampled=st.booleans(),
    intended_ns=_INSTANTS,
    outcome=st.sampled_from(Outcome),
    end_ns=_INSTANTS,
    sent_ns=st.none() | _INSTANTS,
    connected_ns=st.none() | _INSTANTS,
    first_byte_ns=st.none() | _INSTANTS,
    first_token_ns=st.none() | _INSTANTS,
    last_token_ns=st.none() | _INSTANTS,
    http_status=st.none() | st.integers(100, 599),
    error_type=_WORDS,
    input_tokens=st.integers(0, 2**31 - 1),
    output_tokens=st.integers(0, 2**31 - 1),
    max_tokens=st.integers(0, 2**31 - 1),
    token_source=st.sampled_from(TokenSource),
    chunks=st.integers(0, 2**31 - 1),
    max_gap_ns=_INSTANTS,
    finish_reason=_WORDS,
    cached_tokens=st.none() | st.integers(0, 2**31 - 1),
    bytes_received=_INSTANTS,
    reconnects=st.integers(0, 1),
    gaps_ns=st.none() | st.lists(_INSTANTS, max_size=3),
)
MANY = st.lists(REQUESTS, min_size=1, max_size=8)
SLOWLY = settings(deadline=None)  # the first conversion loads parts of pyarrow


def test_the_columns_hold_what_they_say() -> None:
    sent = record(7, due=1.0, stage=2, trace_id="0123456789abcdef" + "00000000000000ff", finish_reason="stop")
    dropped = record(8, due=2.0, outcome=Outcome.DROPPED, error_type="max_in_flight")
    batch = RecordBatch.from_records([sent, dropped], worker=5)
    assert (len(batch), batch.worker) == (2, 5)
    assert batch.seq.tolist() == [7, 8]
    assert batch.trace.tolist()[0] == [0x0123456789ABCDEF, 0xFF]
    assert batch.trace_id(0) == "0123456789abcdef" + "00000000000000ff"
    assert batch.sent_ns.tolist() == [1_001_000_000, -1]
    assert [OUTCOMES[code] for code in batch.outcome] == [Outcome.OK, Outcome.DROPPED]
    assert [batch.words[i] for i in batch.error] == ["", "max_in_flight"]
    assert [batch.words[i] for i in batch.finish_reason] == ["stop", ""]
    assert batch.ok.tolist() == batch.was_sent.tolist() == batch.has_token.tolist() == [True, False]
    assert batch.gaps_ns is None


@SLOWLY
@given(MANY)
def test_records_come_out_of_a_batch_as_they_went_in(requests: list[RequestRecord]) -> None:
    assert requests_in(RecordBatch.from_records(requests, 3)) == requests


@SLOWLY
@given(MANY)
def test_a_batch_in_arrow_is_the_table_of_its_records(requests: list[RequestRecord]) -> None:
    table = RecordBatch.from_records(requests, 3).to_arrow()
    assert table.schema.equals(SCHEMA)
    assert table.to_pylist() == table_of(requests).to_pylist()
    table.validate(full=True)


@SLOWLY
@given(MANY, MANY, st.integers(0, 8), st.integers(0, 8))
def test_a_batch_of_batches_and_a_part_of_one_keep_every_record(
    first: list[RequestRecord], second: list[RequestRecord], start: int, stop: int
) -> None:
    both = RecordBatch.concat([RecordBatch.from_records(first, 3), RecordBatch.from_records(second, 3)])
    assert requests_in(both) == first + second
    assert requests_in(both.rows(start, stop)) == (first + second)[start:stop]


def test_a_part_of_a_batch_has_the_gaps_of_its_records_also_behind_some_without() -> None:
    kept: list[list[int] | None] = [None, [1, 2], None, [], [3]]
    batch = RecordBatch.from_records([record(i, 0.0, gaps_ns=gaps) for i, gaps in enumerate(kept)], 0)
    values, counts = batch.rows(1, 5).gaps_ns or ([], [])
    assert (list(values), list(counts)) == ([1, 2, 3], [2, -1, 0, 1])
    assert [row.gaps_ns for row in requests_in(batch.rows(2, 5))] == [None, [], [3]]


def test_batches_of_one_growing_table_of_words_are_joined_as_they_are() -> None:
    words = ["", "a", "b"]
    old = RecordBatch.from_records([record(0, 0.0, error_type="a")], 0)
    new = RecordBatch.from_records([record(1, 0.0, error_type="a"), record(2, 0.0, error_type="b")], 0)
    both = RecordBatch.concat([replace(old, words=words[:2]), replace(new, words=words)])
    assert both.words is words
    assert both.error.tolist() == [1, 1, 2]


def test_batches_whose_words_differ_are_numbered_anew() -> None:
    first = RecordBatch.from_records([record(0, 0.0, error_type="a", finish_reason="stop")], 0)
    second = RecordBatch.from_records([record(1, 0.0, error_type="b", finish_reason="a")], 0)
    both = RecordBatch.concat([first, second])
    assert [both.words[i] for i in both.error] == ["a", "b"]
    assert [both.words[i] for i in both.finish_reason] == ["stop", "a"]


def test_a_batch_joins_only_batches_of_its_worker_and_at_least_one() -> None:
    batches = [RecordBatch.from_records([record(0, 0.0)], worker) for worker in (0, 1)]
    for refused in (batches, []):
        with pytest.raises(ValueError, match="one worker"):
            RecordBatch.concat(refused)


@pytest.mark.parametrize("traces", [("t1", "0" * 32), ("x" * 32, "0" * 32), ("0" * 30, "0" * 34)])
def test_a_trace_id_that_is_none_is_refused(traces: tuple[str, str]) -> None:
    rows = [record(seq, 0.0, trace_id=trace) for seq, trace in enumerate(traces)]
    with pytest.raises(ValueError, match=r"32 hex digits|non-hexadecimal"):
        RecordBatch.from_records(rows, 0)


def test_columns_may_be_views_into_rows_of_a_structured_array() -> None:
    requests = [record(seq, seq * 0.1, error_type="e" if seq % 2 else None) for seq in range(6)]
    plain = RecordBatch.from_records(requests, 0)
    columns = {name: getattr(plain, name) for name in COLUMNS}
    layout = [(name, column.dtype, column.shape[1:]) for name, column in columns.items()]
    rows = np.empty(6, np.dtype(layout, align=True))
    for name, column in columns.items():
        rows[name] = column
    views = {name: rows[name] for name in COLUMNS}
    assert not views["seq"].flags.c_contiguous
    batch = replace(plain, **views)
    assert requests_in(batch) == requests
    assert requests_in(RecordBatch.concat([batch, batch])) == requests * 2


def test_the_file_names_only_the_words_that_occur() -> None:
    batch = RecordBatch.from_records([record(0, 0.0, error_type="gone"), record(1, 0.0)], 0)
    table = replace(batch, words=["", "gone", *(f"other {i}" for i in range(4000))]).to_arrow()
    assert table["error_type"].dictionary.to_pylist() == ["gone"]
    assert table["error_type"].to_pylist() == ["gone", None]
    assert table["finish_reason"].dictionary.to_pylist() == []


def test_no_records_make_an_empty_batch() -> None:
    batch = RecordBatch.from_records([], 0)
    assert len(batch) == 0
    assert batch.to_arrow().num_rows == 0
    assert batch.trace.shape == (0, 2)


def same(left: Records, right: Records) -> bool:
    names = [name for name in Records.__slots__ if name not in ("trace_id", "unreadable")]
    return left.trace_id.equals(right.trace_id) and all(
        getattr(left, name).dtype == getattr(right, name).dtype
        and np.array_equal(getattr(left, name), getattr(right, name))
        for name in names
    )


@SLOWLY
@given(MANY, MANY)
def test_what_is_written_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, first: list[RequestRecord], second: list[RequestRecord]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    writer = open_record_file(folder / "records-3.parquet")
    for requests in (first, second):  # row groups with other words
        writer.write_batch(RecordBatch.from_records(requests, 3).to_arrow())
    writer.close()
    rows = pq.read_table(folder / "records-3.parquet").to_pylist()
    assert rows == table_of(first + second).to_pylist()
    assert same(read_records(folder), from_tables([table_of(first + second)]))


def test_a_run_of_two_workers_is_read_whatever_the_words_of_each(tmp_path: Path) -> None:
    for worker, outcome in enumerate([Outcome.TIMEOUT, Outcome.OK]):
        writer = open_record_file(tmp_path / f"records-{worker}.parquet")
        writer.write_batch(
            RecordBatch.from_records([record(worker, 0.0, outcome=outcome)], worker).to_arrow()
        )
        writer.close()
    records = read_records(tmp_path)
    assert [OUTCOMES[code] for code in records.outcome] == [Outcome.TIMEOUT, Outcome.OK]
    assert records.worker.tolist() == [0, 1]
