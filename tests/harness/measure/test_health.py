from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.measure.health import generator_health
from harness.measure.reconcile import ServerCounts, reconcile
from harness.measure.record import Outcome, TokenSource
from harness.measure.summary import Summary
from harness.measure.worker_report import Clock, WorkerReport, read_worker_reports
from tests.harness.measure.build import MS, histogram_of, record, records_of, report


def test_schedule_delay_is_over_sent_requests_only() -> None:
    rows = [record(i, i, delay=0.001 * (i + 1)) for i in range(4)]
    rows.append(record(4, 4.0, outcome=Outcome.DROPPED))
    health = generator_health(records_of(rows), [report(planned=5)], None, 0)
    assert health.sent == 4
    assert health.schedule_delay_p50_seconds == pytest.approx(0.002)
    assert health.schedule_delay_max_seconds == pytest.approx(0.004)
    assert (health.dropped, health.dropped_share) == (1, 0.2)


def test_one_starved_worker_is_not_hidden_by_the_others() -> None:
    calm = [report(k, planned=1, loop_lag=histogram_of([0.0001] * 1000)) for k in range(9)]
    starved = report(9, planned=1, loop_lag=histogram_of([0.3] * 5))
    health = generator_health(records_of([]), [*calm, starved], None, 0)
    assert health.loop_lag_p99_seconds == pytest.approx(0.3, rel=0.01)


def test_a_record_that_is_missing_in_the_middle_is_lost() -> None:
    health = generator_health(records_of([record(0, 0), record(2, 2)]), [report(planned=2)], None, 0)
    assert (health.planned, health.lost_records) == (3, 1)


def test_the_plan_knows_about_arrivals_lost_at_the_end() -> None:
    health = generator_health(records_of([record(0, 0)]), [report(planned=1)], 4, 0)
    assert health.lost_records == 3


def test_a_worker_with_records_and_no_report_is_lost() -> None:
    rows = [record(0, 0, worker=0), record(1, 1, worker=1)]
    assert generator_health(records_of(rows), [report(0, planned=1)], None, 0).workers_lost == 1


def test_a_second_record_of_one_arrival_is_a_duplicate() -> None:
    health = generator_health(records_of([record(0, 0), record(0, 0)]), [report(planned=1)], None, 0)
    assert (health.duplicate_records, health.lost_records) == (1, 0)


def test_a_clock_that_jumped_back_counts_like_one_that_jumped_on() -> None:
    back = report(planned=0, clock=Clock(0, -80 * MS))
    assert generator_health(records_of([]), [back], None, 0).clock_jump_seconds == 0.08


def test_cpu_share_and_spoiled_are_per_worker() -> None:
    one = report(1, planned=0, cpu_seconds=9.0, spoiled=("sink failed: disk full",))
    health = generator_health(records_of([]), [report(0, planned=0), one], None, 0)
    assert health.cpu_share == (0.2, 0.9)
    assert health.spoiled == ("worker 1: sink failed: disk full",)


def test_worker_reports_come_back_from_their_files(tmp_path: Path) -> None:
    second = report(1, planned=3, spoiled=("x",))
    second.write(tmp_path)
    report(0, planned=2).write(tmp_path)
    (tmp_path / "worker-2.json").write_text('{"schema_version": 1, "wor')
    reports = read_worker_reports(tmp_path)
    assert [r.worker for r in reports] == [0, 1]
    assert reports[1] == second


def test_a_worker_report_of_another_version_is_refused() -> None:
    data = json.loads(json.dumps(report().to_dict())) | {"schema_version": 99}
    with pytest.raises(ValueError, match="99"):
        WorkerReport.from_dict(data)


def test_a_summary_of_another_version_or_shape_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="schema version 99"):
        Summary.from_json('{"schema_version": 99}')
    with pytest.raises(UsageError, match="not a Summary"):
        Summary.from_json('{"schema_version": 1}')
    with pytest.raises(UsageError, match="not a Summary"):
        Summary.from_json("{")


def rows_seen() -> list[object]:
    return [record(i, i) for i in range(8)]


def test_counts_agree_when_the_server_saw_what_the_client_saw() -> None:
    result = reconcile(records_of(rows_seen()), ServerCounts("vllm", 8, 40))
    assert (result.requests_agree, result.output_tokens_agree) == (True, True)
    assert (result.unseen_requests, result.unseen_output_tokens) == (0, 0)


@pytest.mark.parametrize(("requests", "tokens"), [(7, 40), (9, 40), (8, 39), (8, 41)])
def test_one_request_or_token_more_or_less_disagrees(requests: int, tokens: int) -> None:
    result = reconcile(records_of(rows_seen()), ServerCounts("vllm", requests, tokens))
    assert (result.requests_agree, result.output_tokens_agree) == (requests == 8, tokens == 40)


def test_an_answer_whose_end_was_not_seen_may_or_may_not_be_in_the_servers_count() -> None:
    rows = [*rows_seen(), record(8, 8, outcome=Outcome.TIMEOUT), record(9, 9, outcome=Outcome.REJECTED)]
    for requests, tokens, agree in ((8, 40, True), (9, 45, True), (10, 46, False)):
        result = reconcile(records_of(rows), ServerCounts("vllm", requests, tokens))
        assert (result.requests_agree, result.output_tokens_agree) == (agree, agree)


def test_tokens_counted_by_chunks_are_a_lower_bound() -> None:
    row = record(0, 0, token_source=TokenSource.CHUNKS, output_tokens=3, max_tokens=5)
    for tokens, agree in ((2, False), (3, True), (5, True), (6, False)):
        assert reconcile(records_of([row]), ServerCounts("x", 1, tokens)).output_tokens_agree is agree


def test_what_the_server_does_not_tell_is_not_compared() -> None:
    result = reconcile(records_of(rows_seen()), ServerCounts("llamacpp", None, 40))
    assert result.requests_agree is None
    assert result.output_tokens_agree is True
