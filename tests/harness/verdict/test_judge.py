from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from harness.errors import UsageError
from harness.measure.record import Outcome, RequestRecord
from harness.measure.summarize import summarize
from harness.measure.worker_report import WorkerReport
from harness.scenario.model import Scenario
from harness.scenario.objective import Objective
from harness.verdict.judge import judge, samples_needed
from harness.verdict.model import ObjectiveResult, Verdict, VerdictKind, worst
from tests.harness.measure.build import (
    histogram_of,
    objective,
    record,
    records_of,
    report,
    scenario_of,
    stage,
)

ONE_STAGE = scenario_of(stage("steady", 100))


def verdict_of(
    rows: Sequence[RequestRecord],
    objectives: Sequence[Objective],
    scenario: Scenario = ONE_STAGE,
    reports: Sequence[WorkerReport] | None = None,
    aborted: str | None = None,
) -> Verdict:
    records = records_of(rows)
    workers = [report(planned=len(rows))] if reports is None else reports
    is_aborted = aborted is not None
    summary = summarize(scenario, records, workers, objectives, {}, planned=len(rows), aborted=is_aborted)
    return judge(summary, records, objectives, scenario, aborted)


def only(rows: Sequence[RequestRecord], one: Objective, **more: Any) -> ObjectiveResult:
    (result,) = verdict_of(rows, [one], **more).results
    return result


def thousand(**facts: Any) -> list[RequestRecord]:
    return [record(i, due=i / 10, **facts) for i in range(1000)]


def test_all_requests_well_within_the_threshold_pass() -> None:
    verdict = verdict_of(thousand(ttft=0.2), [objective("ttft", 0.5, 99), objective("e2e", 1.0, 99)])
    assert (verdict.kind, verdict.exit_code, verdict.reasons) == (VerdictKind.PASS, 0, ())
    assert [result.n for result in verdict.results] == [1000, 1000]


def test_failures_of_one_request_in_forty_fail_a_p99() -> None:
    rows = [record(i, i / 10, outcome=Outcome.OK if i % 40 else Outcome.TIMEOUT) for i in range(1000)]
    verdict = verdict_of(rows, [objective("ttft", 0.5, 99)])
    assert (verdict.kind, verdict.exit_code) == (VerdictKind.FAIL, 1)
    assert verdict.results[0].measured == math.inf


def test_fast_refusals_do_not_improve_a_latency() -> None:
    rows = [
        record(i, i / 10, ttft=0.9, outcome=Outcome.REJECTED if i % 2 else Outcome.OK, e2e=1.0)
        for i in range(1000)
    ]
    assert only(rows, objective("ttft", 1.0, 50)).high == math.inf


def test_too_few_samples_are_inconclusive_and_the_note_says_how_many_are_needed() -> None:
    result = only(thousand()[:367], objective("ttft", 0.5, 99))
    assert result.status is VerdictKind.INCONCLUSIVE
    assert result.note == "too few samples: 367; P99 needs at least 368"
    assert only(thousand()[:368], objective("ttft", 0.5, 99)).status is VerdictKind.PASS


def test_few_samples_are_enough_to_fail_when_most_of_them_are_bad() -> None:
    assert only(thousand(ttft=2.0, e2e=3.0)[:50], objective("ttft", 0.5, 90)).status is VerdictKind.FAIL


def test_an_interval_that_holds_the_threshold_is_inconclusive() -> None:
    rows = [record(i, i / 10, ttft=0.1 + (i * 7 % 1000) / 1000, e2e=2.0) for i in range(1000)]
    result = only(rows, objective("ttft", 0.1 + 0.9, 90))  # P90 is 0.999 s
    assert result.status is VerdictKind.INCONCLUSIVE
    assert result.low < 1.0 < result.high
    assert "interval holds the threshold" in result.note


def test_fail_stands_above_inconclusive() -> None:
    verdict = verdict_of(thousand()[:100], [objective("ttft", 0.5, 99), objective("e2e", 0.1, 50)])
    assert [result.status for result in verdict.results] == [VerdictKind.INCONCLUSIVE, VerdictKind.FAIL]
    assert verdict.kind is VerdictKind.FAIL


def test_without_objectives_nothing_passes() -> None:
    verdict = verdict_of(thousand(), [])
    assert (verdict.kind, verdict.exit_code) == (VerdictKind.INCONCLUSIVE, 3)
    assert verdict.reasons[0].startswith("no_objectives:")


ALL_OBJECTIVES = [
    *(
        objective(metric, 1.0, 99)
        for metric in ("ttft", "ttft_service", "e2e", "tpot", "itl", "schedule_delay")
    ),
    *(objective(metric, 0.5) for metric in ("error_share", "shed_share", "attainment", "goodput")),
    *(objective(metric, 1.0) for metric in ("time_to_recover", "drain_time", "shed_latency")),
]
WITH_SPIKE = scenario_of(
    stage("calm", 20), stage("spike", 20, 100), stage("after", 60), spike=("spike", "calm")
)


@pytest.mark.parametrize("one", ALL_OBJECTIVES, ids=lambda one: one.metric)
@pytest.mark.parametrize("rows", [[], [record(i, i, outcome=Outcome.REFUSED) for i in range(60)]])
def test_a_run_that_sent_nothing_is_inconclusive_for_every_metric(
    one: Objective, rows: list[RequestRecord]
) -> None:
    assert only(rows, one, scenario=WITH_SPIKE).status is VerdictKind.INCONCLUSIVE


@pytest.mark.parametrize("one", ALL_OBJECTIVES, ids=lambda one: one.metric)
def test_a_stage_without_requests_is_inconclusive_for_every_metric_that_looks_at_it(one: Objective) -> None:
    quiet = Objective(one.name, one.metric, one.percentile, one.op, one.threshold, ("after",))
    rows = [record(i, due=i / 100, stage=0) for i in range(1000)]
    if one.metric not in ("time_to_recover", "drain_time"):
        assert only(rows, quiet, scenario=WITH_SPIKE).status is VerdictKind.INCONCLUSIVE


def test_a_stage_of_which_nothing_was_sent_cannot_pass_for_refusing_nothing() -> None:
    two = scenario_of(stage("calm", 50), stage("busy", 50))
    outcomes = [Outcome.OK] * 500 + [Outcome.REFUSED] * 500
    rows = [record(i, i / 10, stage=i // 500, outcome=outcomes[i]) for i in range(1000)]
    shed = objective("shed_share", 0.1, stages=("busy",))
    assert only(rows, shed, scenario=two).status is VerdictKind.INCONCLUSIVE
    errors = objective("error_share", 0.1, stages=("busy",))
    assert only(rows, errors, scenario=two).status is VerdictKind.FAIL


def test_shares_by_hand() -> None:
    outcomes = [Outcome.REJECTED] * 100 + [Outcome.TIMEOUT] * 50 + [Outcome.OK] * 850
    rows = [record(i, i / 10, outcome=outcomes[i * 377 % 1000]) for i in range(1000)]
    assert only(rows, objective("shed_share", 0.2)).measured == 0.1
    assert only(rows, objective("error_share", 0.2)).measured == 0.05
    assert only(rows, objective("attainment", 0.8)).measured == 0.85
    goodput = only(rows, objective("goodput", 8.0))
    assert (goodput.measured, goodput.status) == (8.5, VerdictKind.PASS)


def test_dropped_and_cancelled_arrivals_are_errors() -> None:
    spoiled = [record(98, 9.8, outcome=Outcome.DROPPED), record(99, 9.9, outcome=Outcome.CANCELLED)]
    rows = [*thousand()[:98], *spoiled]
    assert only(rows, objective("error_share", 0.5)).measured == 0.02


def test_shed_at_least_demands_that_an_overloaded_target_refuses() -> None:
    rows = [record(i, i / 10, outcome=Outcome.REJECTED if i % 2 else Outcome.OK) for i in range(1000)]
    assert only(rows, objective("shed_share", 0.3, op="at_least")).status is VerdictKind.PASS
    assert only(thousand(), objective("shed_share", 0.3, op="at_least")).status is VerdictKind.FAIL


def test_an_objective_looks_at_its_stages_only() -> None:
    two = scenario_of(stage("calm", 50), stage("busy", 50))
    rows = [record(i, i / 10, stage=i // 500, ttft=0.1 if i < 500 else 0.9, e2e=1.0) for i in range(1000)]
    calm = only(rows, objective("ttft", 0.5, 99, stages=("calm",)), scenario=two)
    busy = only(rows, objective("ttft", 0.5, 99, stages=("busy",)), scenario=two)
    assert (calm.status, calm.n) == (VerdictKind.PASS, 500)
    assert (busy.status, busy.n) == (VerdictKind.FAIL, 500)


def test_itl_is_judged_on_gaps_with_their_own_count() -> None:
    slow = report(planned=1000, itl=(histogram_of([0.02] * 3900 + [0.4] * 100),))
    result = only(thousand(ttft=0.1, e2e=0.2), objective("itl", 0.1, 90), reports=[slow])
    assert (result.status, result.n) == (VerdictKind.PASS, 4000)
    assert only(thousand(), objective("itl", 0.1, 99), reports=[slow]).status is not VerdictKind.PASS


def test_shed_latency_is_the_p95_of_the_refusals() -> None:
    rows = [
        record(i, i / 10, outcome=Outcome.REJECTED if i % 10 == 0 else Outcome.OK, e2e=0.01)
        for i in range(1000)
    ]
    result = only(rows, objective("shed_latency", 0.05))
    assert (result.status, result.n, result.measured) == (VerdictKind.PASS, 100, pytest.approx(0.01))
    assert only(thousand(), objective("shed_latency", 0.05)).note == "no request was refused"
    assert "P95 needs at least 72" in only(rows[:700], objective("shed_latency", 0.05)).note


def spiked(ttft_at: Callable[[float], float]) -> list[RequestRecord]:
    stages = [0] * 20 + [1] * 20 + [2] * 60
    return [
        record(i, i / 10, stage=stages[i // 10], ttft=ttft_at(i / 10), e2e=ttft_at(i / 10))
        for i in range(1000)
    ]


def spike_results(ttft_at: Callable[[float], float], threshold: float) -> list[ObjectiveResult]:
    asked = [
        objective("ttft", 1.0, 50, stages=("calm",)),
        objective("e2e", 1.0, 50),
        objective("time_to_recover", threshold),
        objective("drain_time", threshold),
    ]
    return list(verdict_of(spiked(ttft_at), asked, scenario=WITH_SPIKE).results[2:])


def test_recovery_and_drain_are_compared_with_their_thresholds() -> None:
    def six_bad_seconds(due: float) -> float:
        return 2.0 if 25 <= due < 46 else 0.05

    recover, drain = spike_results(six_bad_seconds, 10.0)
    assert (recover.status, recover.measured, recover.n) == (VerdictKind.PASS, 6.0, 1)
    assert (recover.low, recover.high) == (5.5, 6.0)  # starts are tried every half second
    assert drain.status is VerdictKind.PASS
    assert [r.status for r in spike_results(six_bad_seconds, 5.0)] == [VerdictKind.FAIL, VerdictKind.FAIL]


def test_a_recovery_that_was_not_seen_fails_only_if_the_run_watched_long_enough() -> None:
    def never(due: float) -> float:
        return 2.0 if due >= 25 else 0.05

    assert spike_results(never, 30.0)[0].status is VerdictKind.FAIL  # watched for 55 s
    longer = spike_results(never, 58.0)[0]
    assert longer.status is VerdictKind.INCONCLUSIVE
    assert longer.note == "did not happen in the 55 s that the run watched; a longer last stage would tell"


def test_an_aborted_run_is_aborted_whatever_its_objectives_say() -> None:
    rows = [*thousand(), record(1000, 100.0, outcome=Outcome.CANCELLED)]
    verdict = verdict_of(rows, [objective("error_share", 0.1)], aborted="stopped by Ctrl-C")
    assert (verdict.kind, verdict.exit_code) == (VerdictKind.ABORTED, 5)
    assert verdict.reasons == ("aborted: stopped by Ctrl-C",)
    assert verdict.results[0].measured == 0.0


def test_verdict_json_gives_the_same_verdict_back() -> None:
    verdict = verdict_of(
        thousand()[:300], [objective("ttft", 0.5, 99, source="a.yaml:3"), objective("goodput", 1.0)]
    )
    assert Verdict.from_json(verdict.to_json()) == verdict
    assert '"high": "+Inf"' in verdict.to_json()


def test_a_verdict_of_another_version_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="schema version 7"):
        Verdict.from_json('{"schema_version": 7}')


def test_the_worst_verdict_of_a_suite() -> None:
    def of(*kinds: VerdictKind) -> VerdictKind:
        return worst(Verdict(kind, kind.exit_code, (), ()) for kind in kinds)

    assert of(VerdictKind.PASS, VerdictKind.PASS) is VerdictKind.PASS
    assert of(VerdictKind.PASS, VerdictKind.INCONCLUSIVE) is VerdictKind.INCONCLUSIVE
    assert of(VerdictKind.INCONCLUSIVE, VerdictKind.INVALID) is VerdictKind.INVALID
    assert of(VerdictKind.INVALID, VerdictKind.ABORTED, VerdictKind.PASS) is VerdictKind.ABORTED
    assert of(VerdictKind.ABORTED, VerdictKind.FAIL, VerdictKind.INVALID) is VerdictKind.FAIL
    assert of() is VerdictKind.INCONCLUSIVE


def test_exit_codes_are_those_of_the_table() -> None:
    assert {kind.value: kind.exit_code for kind in VerdictKind} == {
        "PASS": 0,
        "FAIL": 1,
        "INCONCLUSIVE": 3,
        "INVALID": 4,
        "ABORTED": 5,
    }


def test_samples_needed() -> None:
    assert [samples_needed(p) for p in (50, 90, 95, 99, 99.9)] == [6, 36, 72, 368, 3688]
