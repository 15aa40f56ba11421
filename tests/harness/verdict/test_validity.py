from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from harness.measure.reconcile import ServerCounts
from harness.measure.record import Outcome, RequestRecord
from harness.measure.summarize import summarize
from harness.measure.worker_report import Clock, ClockReading, MasterClock, WorkerReport
from harness.scenario.model import Scenario
from harness.verdict.judge import judge
from harness.verdict.model import Verdict, VerdictKind
from harness.verdict.validity import default_lateness_limit_seconds
from tests.harness.measure.build import (
    MS,
    histogram_of,
    objective,
    record,
    records_of,
    report,
    scenario_of,
    stage,
)

STEADY = scenario_of(stage("steady", 100))
OBJECTIVES = [objective("error_share", 0.5)]


def judged(
    rows: Sequence[RequestRecord],
    reports: Sequence[WorkerReport] | None = None,
    scenario: Scenario = STEADY,
    counts: ServerCounts | None = None,
    **more: Any,
) -> Verdict:
    records = records_of(rows)
    workers = [report(planned=len(rows))] if reports is None else reports
    facts = {"planned": len(rows)} | more
    summary = summarize(scenario, records, workers, OBJECTIVES, {}, counts, **facts)
    return judge(summary, records, OBJECTIVES, scenario)


def codes(verdict: Verdict) -> list[str]:
    assert (verdict.kind is VerdictKind.INVALID) == bool(verdict.reasons)
    return [reason.split(":")[0] for reason in verdict.reasons]


def rows(count: int = 2000, **facts: Any) -> list[RequestRecord]:
    return [record(i, due=i / 20, **facts) for i in range(count)]


def test_an_unspoiled_run_is_judged() -> None:
    verdict = judged(rows(), counts=ServerCounts("tidegate", 2000, 10_000))
    assert codes(verdict) == []
    assert verdict.kind is VerdictKind.PASS


def test_an_invalid_run_has_exit_code_4_and_still_shows_its_results() -> None:
    verdict = judged(rows(delay=0.1))
    assert verdict.exit_code == 4
    assert len(verdict.results) == 1


def test_requests_that_left_late_spoil_a_run() -> None:
    assert codes(judged(rows(delay=0.0049))) == []
    assert codes(judged(rows(delay=0.0051))) == ["schedule_delay"]


def test_one_percent_of_late_requests_is_borne_and_two_are_not() -> None:
    def late_every(n: int) -> list[RequestRecord]:
        return [record(i, i / 20, delay=0.2 if i % n == 0 else 0.001) for i in range(2000)]

    assert codes(judged(late_every(101))) == []
    assert codes(judged(late_every(50))) == ["schedule_delay"]


def test_the_limit_of_lateness_is_2_percent_of_the_tightest_latency_threshold() -> None:
    assert default_lateness_limit_seconds([]) == 0.005
    assert default_lateness_limit_seconds([objective("ttft", 0.1, 99)]) == 0.005
    tight = [objective("ttft", 2.0, 99), objective("e2e", 10.0, 99), objective("drain_time", 0.1)]
    assert default_lateness_limit_seconds(tight) == pytest.approx(0.04)


def test_the_scenario_may_set_its_own_limits() -> None:
    own = scenario_of(stage("steady", 100), schedule_delay_p99=0.2, loop_lag_p99=0.2, dropped_share=0.5)
    lagging = [report(planned=2000, loop_lag=histogram_of([0.1] * 100))]
    assert codes(judged(rows(delay=0.1), lagging, own)) == []
    assert codes(judged(rows(delay=0.3), lagging, own)) == ["schedule_delay"]


def test_a_starved_event_loop_spoils_a_run() -> None:
    def lagging(seconds: float) -> list[WorkerReport]:
        return [
            report(0, planned=1000),
            report(1, planned=1000, loop_lag=histogram_of([0.0001] * 98 + [seconds] * 2)),
        ]

    assert codes(judged(rows(), lagging(0.0049))) == []
    assert codes(judged(rows(), lagging(0.0052))) == ["loop_lag"]


def test_a_loop_that_was_not_watched_spoils_a_run() -> None:
    assert codes(judged(rows(), [report(planned=2000, loop_lag=histogram_of([]))])) == ["loop_lag"]


def test_more_than_one_dropped_arrival_in_a_thousand_spoils_a_run() -> None:
    def dropping(count: int) -> list[RequestRecord]:
        return [record(i, i / 20, outcome=Outcome.DROPPED if i < count else Outcome.OK) for i in range(2000)]

    assert codes(judged(dropping(2))) == []
    assert codes(judged(dropping(3))) == ["dropped"]


def test_a_lost_record_spoils_a_run() -> None:
    assert codes(judged(rows()[:1000] + rows()[1001:], planned=2000)) == ["records_lost"]
    assert codes(judged(rows()[:1999], planned=2000)) == ["records_lost"]


def test_a_doubled_record_spoils_a_run() -> None:
    assert codes(judged([*rows(), rows()[5]], planned=2000)) == ["records_duplicated"]


def test_a_worker_that_vanished_spoils_a_run() -> None:
    assert codes(judged(rows(), workers_lost=1)) == ["workers_lost"]
    half = [replace_worker(row) for row in rows()]
    assert codes(judged(half)) == ["workers_lost"]


def replace_worker(row: RequestRecord) -> RequestRecord:
    return replace(row, worker=row.seq % 2)


@pytest.mark.parametrize("jump_ms", [-51, 51])
def test_a_clock_that_jumped_spoils_a_run(jump_ms: int) -> None:
    assert codes(judged(rows(), [report(planned=2000, clock=Clock(0, jump_ms * MS))])) == ["clock_jumped"]
    small = jump_ms // abs(jump_ms) * 49 * MS
    assert codes(judged(rows(), [report(planned=2000, clock=Clock(0, small))])) == []


def test_what_a_worker_says_was_spoiled_spoils_the_run() -> None:
    verdict = judged(rows(), [report(planned=2000, spoiled=("sink failed: disk full",))])
    assert verdict.reasons == ("spoiled: worker 0: sink failed: disk full",)


@pytest.mark.parametrize(
    ("requests", "tokens", "expected"),
    [
        (1999, 10_000, ["counts_differ_requests"]),
        (2001, 10_000, ["counts_differ_requests"]),
        (2000, 9_999, ["counts_differ_output_tokens"]),
        (None, 10_001, ["counts_differ_output_tokens"]),
        (None, None, []),
    ],
)
def test_counts_that_disagree_with_the_server_spoil_a_run(
    requests: int | None, tokens: int | None, expected: list[str]
) -> None:
    assert codes(judged(rows(), counts=ServerCounts("vllm", requests, tokens))) == expected


def test_every_reason_is_told_not_the_first_only() -> None:
    reports = [report(planned=2000, loop_lag=histogram_of([1.0]), clock=Clock(0, 500 * MS))]
    verdict = judged(rows(delay=0.5), reports, workers_lost=1)
    assert codes(verdict) == ["schedule_delay", "loop_lag", "workers_lost", "clock_jumped"]


def test_the_sentences_have_numbers_and_limits() -> None:
    (reason,) = judged(rows(delay=0.0123)).reasons
    assert reason == (
        "schedule_delay: requests left late: p99 12.3 ms after they were due, over 2000 sent; "
        "the limit is 5 ms"
    )


def clocked(worker: int, uncertainty_ms: float = 0.1, drift_ms: float = 0.0) -> WorkerReport:
    """A worker an hour ahead of the master, whose clock moves by ``drift_ms`` over a run of 100 s."""
    start = ClockReading(0, 3600 * 1000 * MS, int(uncertainty_ms * MS))
    end = ClockReading(100_000 * MS, start.offset_ns + int(drift_ms * MS), start.uncertainty_ns)
    return report(worker, planned=1000, master_clock=MasterClock(start, end))


def test_an_offset_is_no_fault_where_it_is_known() -> None:
    assert codes(judged(rows(), [clocked(0), clocked(1)])) == []


def test_a_clock_that_is_not_known_well_enough_to_start_together_spoils_a_run() -> None:
    verdict = judged(rows(), [clocked(0), clocked(1, uncertainty_ms=5.1)])
    assert codes(verdict) == ["clock_uncertain"]
    assert "worker 1's clock was compared with the master's to ± 5.1 ms" in verdict.reasons[0]
    assert codes(judged(rows(), [clocked(0), clocked(1, uncertainty_ms=4.9)])) == []
    lenient = scenario_of(stage("steady", 100), clock_uncertainty=0.02)
    assert codes(judged(rows(), [clocked(0), clocked(1, uncertainty_ms=5.1)], lenient)) == []


def test_a_clock_that_surely_moved_against_the_masters_spoils_a_run() -> None:
    assert codes(judged(rows(), [clocked(0), clocked(1, drift_ms=-51)])) == ["clock_drifted"]
    assert codes(judged(rows(), [clocked(0), clocked(1, drift_ms=49)])) == []
    doubtful = clocked(1, uncertainty_ms=1, drift_ms=51)  # 49 ms, if both readings were off by 1 ms
    assert codes(judged(rows(), [clocked(0), doubtful])) == []


def test_a_missing_or_broken_shard_spoils_a_run_and_is_named() -> None:
    told = "worker 1 on host-b: records-1.parquet has another SHA-256 than its worker computed"
    verdict = judged(rows(), problems=(told,))
    assert verdict.reasons == (f"spoiled: {told}",)
