from __future__ import annotations

import time
from pathlib import Path

import gevent
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from harness.load.gaps import GapRecorder
from harness.load.lag import PERIOD_NS, Ticker
from harness.load.sink import BATCH_RECORDS, RecordSink
from harness.load.slice_run import share_of
from harness.load.timer import TimerFd
from harness.load.wheel import SLOT_NS, TimerWheel
from harness.measure.record import SCHEMA, Outcome, RequestRecord, TokenSource


def record(seq: int) -> RequestRecord:
    return RequestRecord(
        seq, 0, 1, f"t{seq}", True, 10, Outcome.OK, 90, sent_ns=11, output_tokens=4,
        token_source=TokenSource.USAGE, finish_reason="stop", gaps_ns=[1, 2] if seq % 2 else None,
    )  # fmt: skip


def test_the_sink_writes_every_record_in_order_across_batches(tmp_path: Path) -> None:
    path = tmp_path / "records-0.parquet"
    sink = RecordSink(path)
    n = 2 * BATCH_RECORDS + 7
    for seq in range(n):
        sink.add(record(seq))
    assert not path.exists()  # a file under its final name is complete
    assert sink.close() == n
    table = pq.read_table(path)
    assert table.schema.equals(SCHEMA)
    assert table["seq"].to_pylist() == list(range(n))
    assert table.slice(1, 1).to_pylist()[0] == {
        **dict.fromkeys(SCHEMA.names),
        "seq": 1, "worker": 0, "stage": 1, "trace_id": "t1", "sampled": True, "intended_ns": 10,
        "outcome": "ok", "end_ns": 90, "sent_ns": 11, "input_tokens": 0, "output_tokens": 4, "max_tokens": 0,
        "token_source": "usage", "chunks": 0, "max_gap_ns": 0, "finish_reason": "stop", "bytes_received": 0,
        "reconnects": 0, "gaps_ns": [1, 2],
    }  # fmt: skip


def test_a_sink_without_records_still_leaves_a_readable_file(tmp_path: Path) -> None:
    sink = RecordSink(tmp_path / "records-0.parquet")
    assert sink.close() == 0
    assert pq.read_table(tmp_path / "records-0.parquet").num_rows == 0


def test_a_sink_that_cannot_write_counts_its_losses_and_says_why(tmp_path: Path) -> None:
    sink = RecordSink(tmp_path / "missing" / "records-0.parquet")
    sink.add(record(0))
    sink.close()
    assert sink.failure is not None
    assert not list(tmp_path.iterdir())


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
