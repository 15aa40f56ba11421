from __future__ import annotations

import math
from typing import Any

import pytest

from harness.load.messages import Counts, Sparse
from harness.load.progress import ProgressBoard, ProgressReporter, sparse
from harness.measure.histogram import LogHistogram
from harness.measure.record import Outcome
from harness.measure.record_batch import RecordBatch
from harness.scenario.model import Scenario
from tests.harness.measure.build import MS, record

SCENARIO = Scenario.model_validate(
    {
        "name": "two",
        "stages": [
            {"name": "calm", "duration": 10, "rate": "10/s"},
            {"name": "sale", "duration": 10, "rate": "10/s"},
        ],
        "slos": [
            {"name": "first", "metric": "ttft", "percentile": 90, "at_most": 0.2},
            {"name": "smooth", "metric": "itl", "percentile": 50, "at_most": 0.02},
            {"name": "errors", "metric": "error_share", "at_most": 0.25},
            {"name": "sale-only", "metric": "ttft", "percentile": 50, "at_most": 0.05, "stages": ["sale"]},
            {"name": "whole", "metric": "e2e", "percentile": 50, "at_most": 1.0},
        ],
    }
)


def histogram(*milliseconds: float) -> Sparse:
    made = LogHistogram()
    for value in milliseconds:
        made.add(int(value * MS))
    return sparse(made)


def counts(worker: int = 0, **given: Any) -> Counts:
    whole = dict.fromkeys(("offered", "sent", "completed", "in_flight", "failed", "rejected", "good"), 0)
    histograms = {"ttft": histogram(), "gaps": histogram()}
    return Counts(run_id="run", worker=worker, **{**whole, **histograms, **given})


def test_counts_are_the_sum_of_each_workers_newest() -> None:
    board = ProgressBoard(SCENARIO)
    board.take(counts(0, offered=5, completed=3), 1.0)
    board.take(counts(0, offered=9, completed=6), 2.0)
    board.take(counts(1, offered=4, completed=4), 2.0)
    progress = board.read(2.0, 2.0, 2)
    assert (progress.offered, progress.completed, progress.backlog) == (13, 10, 3)


def test_the_window_forgets_after_five_seconds_what_the_run_remembers() -> None:
    board = ProgressBoard(SCENARIO)
    board.take(counts(ttft=histogram(100, 100, 100)), 1.0)
    board.take(counts(ttft=histogram(900)), 8.0)
    progress = board.read(8.0, 8.0, 1)
    assert progress.ttft_p50_seconds == pytest.approx(0.9, rel=0.01)
    assert progress.run_ttft_p50_seconds == pytest.approx(0.1, rel=0.01)
    assert progress.run_ttft_p99_seconds == pytest.approx(0.9, rel=0.01)


def test_two_workers_percentile_is_that_of_their_merged_samples() -> None:
    board = ProgressBoard(SCENARIO)
    board.take(counts(0, gaps=histogram(*[10] * 60)), 1.0)
    board.take(counts(1, gaps=histogram(*[50] * 40)), 1.0)
    progress = board.read(1.0, 1.0, 2)
    assert progress.run_gap_p50_seconds == pytest.approx(0.01, rel=0.01)
    assert progress.run_gap_p99_seconds == pytest.approx(0.05, rel=0.01)


def test_goodput_is_good_answers_a_second_over_the_window() -> None:
    board = ProgressBoard(SCENARIO)
    for second in range(1, 11):
        board.take(counts(good=second * 8), float(second))
    assert board.read(10.0, 10.4, 1).goodput == pytest.approx(8, rel=0.26)  # 5 or 6 messages of 8 in 5 s


def test_nothing_yet_is_nan_and_never_zero() -> None:
    progress = ProgressBoard(SCENARIO).read(0.0, 0.0, 1)
    assert math.isnan(progress.ttft_p99_seconds)
    assert math.isnan(progress.run_gap_p50_seconds)
    assert all(map(math.isnan, progress.live_values))


def test_live_values_stand_for_the_objectives_that_live_counts_can_tell() -> None:
    board = ProgressBoard(SCENARIO)
    told = counts(completed=10, failed=1, ttft=histogram(*range(10, 100, 10)), gaps=histogram(5, 15, 25))
    board.take(told, 1.0)
    first, smooth, errors, sale, whole = board.read(1.0, 1.0, 1).live_values
    assert first == pytest.approx(0.09, rel=0.01)  # the 9th of 10: nine answers of 10 … 90 ms and a failure
    assert smooth == pytest.approx(0.015, rel=0.01)
    assert errors == pytest.approx(0.1)
    assert math.isnan(sale)  # of one stage only
    assert math.isnan(whole)  # no live histogram


def test_failures_are_infinitely_slow_in_live_values_too() -> None:
    board = ProgressBoard(SCENARIO)
    board.take(counts(completed=10, failed=2, ttft=histogram(*[10] * 8)), 1.0)
    assert board.read(1.0, 1.0, 1).live_values[0] == math.inf  # the 9th of 10 is a failure


class Engine:
    """Something to watch: what a worker drives, without the driving."""

    def __init__(self) -> None:
        from harness.load.counts import EngineStats

        self.listeners: list[Any] = []
        self.itl = (LogHistogram(), LogHistogram())
        self.ttft = LogHistogram()
        self._stats = EngineStats()

    def stats(self) -> Any:
        return self._stats

    def end(self, *records: Any) -> None:
        batch = RecordBatch.from_records(records, 0)
        for take in (self._stats.count, *self.listeners):
            take(batch)


def test_a_message_has_the_gaps_since_the_last_one() -> None:
    engine = Engine()
    reporter = ProgressReporter(engine, "run", 0, SCENARIO)
    engine.itl[0].add(10 * MS)
    engine.itl[1].add(30 * MS)
    assert sum(reporter.message().gaps.counts) == 2
    engine.itl[1].add(30 * MS)
    again = reporter.message().gaps
    assert again == Sparse(histogram(30).buckets, [1], 30 * MS)
    assert reporter.message().gaps == Sparse()


def test_a_message_has_the_first_tokens_since_the_last_one_though_nothing_has_ended() -> None:
    engine = Engine()
    reporter = ProgressReporter(engine, "run", 0, SCENARIO)
    engine.ttft.add(10 * MS)
    reporter.message()
    engine.ttft.add(30 * MS)
    message = reporter.message()
    assert (message.completed, message.ttft) == (0, Sparse(histogram(30).buckets, [1], 30 * MS))


def test_good_answers_meet_every_latency_objective_of_their_stage() -> None:
    engine = Engine()
    reporter = ProgressReporter(engine, "run", 0, SCENARIO)
    engine.end(
        record(0, 1.0, ttft=0.1, e2e=0.15),  # 12.5 ms a gap
        record(1, 1.0, ttft=0.3, e2e=0.35),  # its first token came late
        record(2, 1.0, ttft=0.1, e2e=0.9),  # 200 ms a gap
        record(3, 11.0, ttft=0.1, e2e=0.15, stage=1),  # late for the sale only
        record(4, 11.0, ttft=0.04, e2e=0.1, stage=1),
        record(5, 1.0, ttft=0.1, e2e=0.15, outcome=Outcome.TRUNCATED),
    )
    message = reporter.message()
    assert (message.completed, message.failed, message.good) == (6, 1, 2)


def test_a_message_of_a_busy_worker_is_some_kilobytes() -> None:
    import msgspec

    busy = LogHistogram()
    for number in range(10_000):
        busy.add(int(MS * 1.001**number % (60_000 * MS)))
    encoded = msgspec.msgpack.encode(counts(ttft=sparse(busy), gaps=sparse(busy)))
    assert len(encoded) < 8_000  # ten thousand values over five powers of ten
