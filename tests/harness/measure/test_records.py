from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.measure.record import SCHEMA, Outcome
from harness.measure.records import read_records
from harness.measure.timings import MISSING
from tests.harness.measure.build import MS, record, records_of, table_of, write_records


def test_the_formulas_by_hand() -> None:
    # Due at 2 s, sent 3 ms later, first token at 2.25 s, last token at 2.85 s, end at 2.86 s, 5 tokens.
    row = record(0, due=2.0, delay=0.003, first_token_ns=2250 * MS, last_token_ns=2850 * MS, end_ns=2860 * MS)
    records = records_of([row])
    assert records.ttft_seconds[0] == pytest.approx(0.250)
    assert records.ttft_service_seconds[0] == pytest.approx(0.247)
    assert records.e2e_seconds[0] == pytest.approx(0.860)
    assert records.tpot_seconds[0] == pytest.approx(0.600 / 4)
    assert records.mean_gap_seconds[0] == pytest.approx(0.600 / 4)
    assert records.schedule_delay_seconds[0] == pytest.approx(0.003)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.OK])
def test_every_failure_is_infinite_even_when_tokens_were_seen(outcome: Outcome) -> None:
    row = record(
        0, due=1.0, outcome=outcome, first_token_ns=1100 * MS, last_token_ns=1200 * MS, output_tokens=5
    )
    records = records_of([row])
    for seconds in (records.ttft_seconds, records.ttft_service_seconds, records.e2e_seconds):
        assert seconds[0] == math.inf
    assert records.tpot_seconds[0] == math.inf
    assert records.mean_gap_seconds[0] == math.inf


def test_one_token_has_no_tpot_and_one_chunk_no_gap() -> None:
    records = records_of([record(0, due=0.0, output_tokens=1, chunks=1)])
    assert math.isnan(records.tpot_seconds[0])
    assert math.isnan(records.mean_gap_seconds[0])


def test_schedule_delay_is_known_for_a_sent_failure_and_infinite_for_what_was_never_sent() -> None:
    records = records_of([record(0, 0.0, outcome=Outcome.TIMEOUT), record(1, 0.0, outcome=Outcome.DROPPED)])
    assert records.schedule_delay_seconds.tolist() == [0.001, math.inf]


def test_the_files_of_two_workers_become_one_table_in_the_order_of_seq(tmp_path: Path) -> None:
    rows = [record(seq, due=seq * 0.1, worker=seq % 2) for seq in range(10)]
    write_records(tmp_path, 0, rows[0::2])
    write_records(tmp_path, 1, rows[1::2])
    records = read_records(tmp_path)
    assert records.seq.tolist() == list(range(10))
    assert records.worker.tolist() == [0, 1] * 5
    assert records.trace_id.to_pylist() == [f"{seq:032x}" for seq in range(10)]
    assert records.unreadable == ()


def test_a_file_without_its_end_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    write_records(tmp_path, 0, [record(0, due=0.0)])
    write_records(tmp_path, 1, [record(1, due=0.1)])
    whole = (tmp_path / "records-1.parquet").read_bytes()
    (tmp_path / "records-1.parquet").write_bytes(whole[: len(whole) // 2])
    records = read_records(tmp_path)
    assert records.seq.tolist() == [0]
    assert len(records.unreadable) == 1
    assert records.unreadable[0].startswith("records-1.parquet")


def test_a_folder_without_files_has_no_records(tmp_path: Path) -> None:
    records = read_records(tmp_path)
    assert len(records) == 0
    assert records.ttft_seconds.tolist() == []


def test_missing_instants_are_minus_one_and_the_columns_keep_their_types() -> None:
    records = records_of([record(0, due=0.0, outcome=Outcome.DROPPED)])
    assert records.sent_ns[0] == records.first_token_ns[0] == records.http_status[0] == MISSING
    assert records.stage.dtype == np.uint8
    assert records.outcome.dtype == np.uint8
    assert records.sent_ns.dtype == np.int64


def test_records_of_a_stage() -> None:
    records = records_of([record(seq, due=seq, stage=seq % 3) for seq in range(6)])
    assert records.for_stage(1).seq.tolist() == [1, 4]
    assert records.for_stage(1).trace_id.to_pylist() == [f"{1:032x}", f"{4:032x}"]


def test_a_file_whose_words_are_plain_text_is_read_like_one_with_dictionaries(tmp_path: Path) -> None:
    rows = [record(0, 0.0), record(1, 0.0, outcome=Outcome.TIMEOUT)]
    plain = pa.schema(
        [field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field for field in SCHEMA]
    )
    pq.write_table(table_of(rows).cast(plain), tmp_path / "records-0.parquet")
    write_records(tmp_path, 1, [record(2, 0.0)])
    assert read_records(tmp_path).ok.tolist() == [True, False, True]


def test_a_file_that_holds_no_records_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"seq": [1]}), tmp_path / "records-0.parquet")
    write_records(tmp_path, 1, [record(2, 0.0)])
    records = read_records(tmp_path)
    assert records.seq.tolist() == [2]
    assert records.unreadable[0].startswith("records-0.parquet")
