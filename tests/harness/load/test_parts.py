from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import gevent
import numpy as np
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from harness.load.counts import EndedTtft, EngineStats
from harness.load.gaps import GapRecorder
from harness.load.lag import PERIOD_NS, Ticker
from harness.load.sink import MAX_WAITING_RECORDS, ROW_GROUP_RECORDS, RecordSink
from harness.load.slice_run import share_of
from harness.load.timer import TimerFd
from harness.load.wheel import SLOT_NS, TimerWheel
from harness.measure.record import SCHEMA, Outcome, RequestRecord, TokenSource
from harness.measure.record_batch import RecordBatch
from tests.harness.measure.build import histogram_of, record


def records(*seqs: int) -> RecordBatch:
    rows = [
        RequestRecord(
            seq, 0, 1, f"{seq:032x}", True, 10, Outcome.OK, 90, sent_ns=11, output_tokens=4,
            token_source=TokenSource.USAGE, finish_reason="stop", gaps_ns=[1, 2] if seq % 2 else None,
        )
        for seq in seqs
    ]  # fmt: skip
    return RecordBatch.from_records(rows, 0)


def test_the_sink_writes_every_record_in_order_whatever_the_batches(tmp_path: Path) -> None:
    path = tmp_path / "records-0.parquet"
    sink = RecordSink(path)
    n = 2 * ROW_GROUP_RECORDS + 7
    borders = [0, 1, 2, 500, 501, 40_000, *range(40_001, 40_100), n]
    everything = records(*range(n))
    for start, stop in pairwise(borders):
        sink.add(everything.rows(start, stop))
    assert not path.exists()  # a file under its final name is complete
    assert sink.close() == n
    table = pq.read_table(path)
    assert table.schema.equals(SCHEMA)
    assert table["seq"].to_pylist() == list(range(n))
    assert table.slice(1, 1).to_pylist()[0] == {
        **dict.fromkeys(SCHEMA.names),
        "seq": 1, "worker": 0, "stage": 1, "trace_id": f"{1:032x}", "sampled": True, "intended_ns": 10,
        "outcome": "ok", "end_ns": 90, "sent_ns": 11, "input_tokens": 0, "output_tokens": 4, "max_tokens": 0,
        "token_source": "usage", "chunks": 0, "max_gap_ns": 0, "finish_reason": "stop", "bytes_received": 0,
        "reconnects": 0, "gaps_ns": [1, 2],
    }  # fmt: skip
    groups = pq.ParquetFile(path).metadata
    assert [groups.row_group(i).num_rows for i in range(3)] == [ROW_GROUP_RECORDS, ROW_GROUP_RECORDS, 7]


def test_full_row_groups_are_written_while_the_run_goes_on(tmp_path: Path) -> None:
    sink = RecordSink(tmp_path / "records-0.parquet")
    sink.add(records(*range(ROW_GROUP_RECORDS + 1)))
    for _ in range(200):
        if sink.recorded:
            break
        gevent.sleep(0.01)
    assert sink.recorded == ROW_GROUP_RECORDS
    assert (tmp_path / "records-0.parquet.part").stat().st_size > 10_000
    assert sink.close() == ROW_GROUP_RECORDS + 1


def test_a_sink_without_records_still_leaves_a_readable_file(tmp_path: Path) -> None:
    sink = RecordSink(tmp_path / "records-0.parquet")
    assert sink.close() == 0
    assert pq.read_table(tmp_path / "records-0.parquet").num_rows == 0


def test_a_sink_that_cannot_write_counts_its_losses_and_says_why(tmp_path: Path) -> None:
    sink = RecordSink(tmp_path / "missing" / "records-0.parquet")
    sink.add(records(0, 1))
    sink.close()
    assert sink.failure is not None
    assert (sink.recorded, sink.lost) == (0, 2)
    sink.add(records(2, 3, 4))
    assert sink.lost == 5
    assert not list(tmp_path.iterdir())


def test_records_that_no_file_can_hold_are_lost_and_told_not_forgotten(tmp_path: Path) -> None:
    sink = RecordSink(tmp_path / "records-0.parquet")
    sink.add(replace(records(0, 1), outcome=np.array([0, 200], np.uint8)))
    assert sink.close() == 0
    assert sink.lost == 2
    assert not (tmp_path / "records-0.parquet").exists()


def test_a_disk_that_falls_behind_loses_what_exceeds_the_bound(tmp_path: Path) -> None:
    sink = RecordSink(tmp_path / "records-0.parquet")
    group = records(*range(ROW_GROUP_RECORDS))
    for _ in range(MAX_WAITING_RECORDS // ROW_GROUP_RECORDS):
        sink.add(group)  # without a pause, so that nothing is written meanwhile
    assert (sink.lost, sink.failure) == (0, None)
    sink.add(records(1, 2))
    assert sink.lost == 2
    assert sink.failure == "the disk could not keep up with the records"
    assert sink.close() == MAX_WAITING_RECORDS


def test_batches_are_counted_as_their_records_would_be_one_by_one() -> None:
    requests = [
        record(0, 1.0, ttft=0.2, delay=0.001),
        record(1, 1.0, ttft=0.4, delay=0.003),
        record(2, 1.0, outcome=Outcome.TIMEOUT, first_token_ns=1_100_000_000, delay=0.002),
        record(3, 1.0, outcome=Outcome.DROPPED),
        record(4, 1.0, first_token_ns=None, delay=0.004),
    ]
    stats, ended = EngineStats(), EndedTtft()
    for part in (requests[:2], requests[2:]):
        stats.count(RecordBatch.from_records(part, 0))
        ended.take(RecordBatch.from_records(part, 0))
    expected = {Outcome.OK: 3, Outcome.TIMEOUT: 1, Outcome.DROPPED: 1}
    assert {outcome: n for outcome, n in stats.completed.items() if n} == expected
    assert (stats.recorded, stats.sent) == (5, 4)
    assert ended.histogram == histogram_of([0.2, 0.4, 0.1])  # a failure's first token has come too
    assert stats.schedule_delay == histogram_of([0.001, 0.003, 0.002, 0.004])


def test_the_timer_expires_at_its_instant_and_then_at_every_period() -> None:
    seen: list[int] = []
    timer = TimerFd(gevent.get_hub().loop, lambda _n: seen.append(time.monotonic_ns()))
    start_ns = time.monotonic_ns() + 20_000_000
    timer.arm(start_ns, 10_000_000)
    gevent.sleep(0.1)
    timer.close()
    timer.close()
    assert seen[0] >= start_ns
    assert 3 <= len(seen) <= 9


def test_a_blocked_loop_owes_every_tick_that_it_missed() -> None:
    ticks: list[int] = []
    ticker = Ticker(gevent.get_hub().loop, ticks.append)
    ticker.start()
    gevent.sleep(0.05)
    time.sleep(0.3)
    gevent.sleep(0.05)
    ticker.stop()
    assert 0.25 <= ticker.lag.max_seconds < 0.6
    assert ticker.lag.count >= 0.38e9 / PERIOD_NS  # all that were due in 0.4 s
    assert len(ticks) <= ticker.lag.count - 25  # of which 30 came together
    assert ticker.lag.quantile(0.75) > 0.1  # they are late each by its own measure, not one of them by 0.3 s


class Waiting:
    def __init__(self, deadline_ns: int) -> None:
        self.deadline = deadline_ns
        self.expired_at: int | None = None
        self.now = 0

    def deadline_ns(self) -> int:
        return self.deadline

    def expire(self) -> None:
        self.expired_at, self.deadline = self.now, 0


@given(
    st.lists(st.integers(1, 50 * SLOT_NS), min_size=1, max_size=20), st.integers(SLOT_NS // 4, 3 * SLOT_NS)
)
def test_every_deadline_passes_once_and_at_most_one_slot_late(deadlines: list[int], step: int) -> None:
    wheel = TimerWheel(0)
    members = [Waiting(deadline) for deadline in deadlines]
    for member in members:
        wheel.watch(member)
        wheel.watch(member)
    for now in range(0, 54 * SLOT_NS + step, step):
        for member in members:
            member.now = now
        wheel.advance(now)
    for member, deadline in zip(members, deadlines, strict=True):
        assert member.expired_at is not None
        assert deadline <= member.expired_at <= deadline + SLOT_NS + step


def test_a_deadline_that_moves_is_met_where_it_moved_to() -> None:
    wheel = TimerWheel(0)
    later, earlier, gone = Waiting(5 * SLOT_NS), Waiting(90 * SLOT_NS), Waiting(5 * SLOT_NS)
    for member in (later, earlier, gone):
        wheel.watch(member)
    later.deadline, gone.deadline, earlier.deadline = 20 * SLOT_NS, 0, 10 * SLOT_NS
    wheel.watch(earlier)
    for slot in range(30):
        later.now = earlier.now = gone.now = slot
        wheel.advance(slot * SLOT_NS)
    assert (later.expired_at, earlier.expired_at, gone.expired_at) == (21, 11, None)


def test_gaps_are_counted_per_stage_also_those_after_a_flush() -> None:
    gaps = GapRecorder(2)
    take = gaps.taker(1)
    take(1_000_000)
    gaps.flush(at=1)
    take(3_000_000)
    gaps.flush(at=2)
    assert [h.count for h in gaps.histograms] == [0, 1]
    gaps.flush(at=1)
    assert [h.count for h in gaps.histograms] == [0, 2]


@given(st.integers(1, 5000), st.integers(1, 50))
def test_the_workers_shares_of_max_in_flight_add_up(total: int, workers: int) -> None:
    parts = [share_of(total, k, workers) for k in range(workers)]
    assert sum(parts) == max(total, workers)
    assert max(parts) - min(parts) <= 1
