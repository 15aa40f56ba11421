from __future__ import annotations

from typing import Any

import pytest

from harness.load.locust_stats import log_batch
from harness.load.unpatched import stats as locust_stats
from harness.measure.record import Outcome, RequestRecord
from harness.measure.record_batch import RecordBatch
from tests.harness.measure.build import record

RequestStats = locust_stats.RequestStats


def some_requests() -> list[RequestRecord]:
    good = [
        record(i, 1.0, ttft=0.0011 + i / 701, e2e=0.05 + i * i / 3001, bytes_received=i) for i in range(90)
    ]
    late = {"e2e": 2.0, "outcome": Outcome.TIMEOUT, "error_type": "read timeout", "first_token_ns": 10**9 + 7}
    failed = [record(90 + i, 1.0, **late) for i in range(3)]
    refused = [record(93, 1.0, outcome=Outcome.REJECTED, e2e=0.02, bytes_received=7)]
    silent = [record(94, 1.0, first_token_ns=None), record(95, 1.0, outcome=Outcome.DROPPED)]
    return good + failed + refused + silent


def one_by_one(stats: Any, requests: list[RequestRecord]) -> None:
    for request in requests:
        if request.outcome is Outcome.OK and request.first_token_ns is not None:
            stats.log_request("TTFT", "run", (request.first_token_ns - request.intended_ns) / 1e6, 0)
        took_ms = (request.end_ns - request.intended_ns) / 1e6
        stats.log_request("E2E", "run", took_ms, request.bytes_received)
        if request.outcome is not Outcome.OK:
            stats.log_error("E2E", "run", f"{request.outcome}: {request.error_type or ''}")


def facts(entry: Any) -> dict[str, Any]:
    """Return what an entry counts, without the instants of the test's own clock."""
    report = entry.serialize()
    for name in ("start_time", "last_request_timestamp"):
        del report[name]
    for name in ("num_reqs_per_sec", "num_fail_per_sec"):
        report[name] = sum(report[name].values())
    return report | {
        "total_response_time": pytest.approx(report["total_response_time"]),
        "response_times": dict(report["response_times"]),
    }


def test_sums_are_what_locust_counts_one_by_one() -> None:
    requests = some_requests()
    expected, stats = RequestStats(), RequestStats()
    one_by_one(expected, requests)
    for part in (requests[:20], requests[20:]):
        log_batch(stats, "run", RecordBatch.from_records(part, 0))
    for kind in ("E2E", "TTFT"):
        assert facts(stats.get("run", kind)) == facts(expected.get("run", kind))
    assert facts(stats.total) == facts(expected.total)
    errors = {error.error: error.occurrences for error in stats.errors.values()}
    assert errors == {error.error: error.occurrences for error in expected.errors.values()}
    assert errors == {"timeout: read timeout": 3, "rejected: ": 1, "dropped: ": 1}


def test_the_page_can_read_the_current_percentile_from_what_was_added() -> None:
    stats = RequestStats()
    log_batch(stats, "run", RecordBatch.from_records([record(i, 0.0, e2e=0.3) for i in range(10)], 0))
    assert stats.get("run", "E2E").get_response_time_percentile(0.5) == 300
    assert stats.total.num_requests == 20


def test_a_users_own_rounding_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locust_stats, "bucket_response_time", lambda ms: int(ms) // 250 * 250)
    stats = RequestStats()
    log_batch(stats, "run", RecordBatch.from_records([record(0, 0.0, e2e=0.3), record(1, 0.0, e2e=0.7)], 0))
    assert dict(stats.get("run", "E2E").response_times) == {250: 1, 500: 1}


def test_a_batch_of_failures_only_has_no_time_to_first_token() -> None:
    stats = RequestStats()
    log_batch(stats, "run", RecordBatch.from_records([record(0, 0.0, outcome=Outcome.TIMEOUT)], 0))
    assert list(stats.entries) == [("run", "E2E")]
    assert stats.get("run", "E2E").fail_ratio == 1
