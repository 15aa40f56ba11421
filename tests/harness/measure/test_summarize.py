from __future__ import annotations

import math
import time

import numpy as np
import pyarrow as pa
import pytest

from harness.measure.attainment import meets, meets_all
from harness.measure.reconcile import ServerCounts
from harness.measure.record import SCHEMA, Outcome
from harness.measure.records import Records, from_tables
from harness.measure.stages import seconds_of_stages, stage_windows
from harness.measure.summarize import summarize
from harness.measure.summary import Capacity, Summary
from tests.harness.measure.build import (
    SECOND,
    histogram_of,
    objective,
    record,
    records_of,
    report,
    scenario_of,
    stage,
)

TWO_STAGES = scenario_of(stage("calm", 10), stage("busy", 10))


def mixed() -> Records:
    """Ten requests in each of two stages; in the second two are refused, one times out, one is dropped."""
    rows = [record(seq, due=seq, ttft=0.1, e2e=0.5) for seq in range(10)]
    busy = [Outcome.REJECTED, Outcome.REJECTED, Outcome.TIMEOUT, Outcome.DROPPED, *[Outcome.OK] * 6]
    for seq, outcome in enumerate(busy, start=10):
        rows.append(record(seq, due=seq, stage=1, ttft=0.1 * (seq - 9), e2e=2.0, outcome=outcome))
    return records_of(rows)


def test_counts_shares_and_rates_of_each_stage_by_hand() -> None:
    summary = summarize(TWO_STAGES, mixed(), [report(planned=20)], [objective("ttft", 0.8, 99)], {})
    calm, busy = summary.stages
    assert (calm.offered, calm.sent, calm.completed, calm.ok) == (10, 10, 10, 10)
    assert (busy.offered, busy.sent, busy.completed, busy.ok) == (10, 9, 9, 6)
    assert busy.outcomes["rejected"] == 2
    assert busy.outcomes["truncated"] == 0
    assert (busy.shed_share, busy.error_share) == (0.2, 0.2)
    assert (calm.attainment, calm.goodput) == (1.0, 1.0)
    assert (busy.attainment, busy.goodput) == (0.4, 0.4)  # TTFT 0.5 … 1.0 s; 0.5 … 0.8 are within
    assert (summary.whole.offered, summary.whole.goodput) == (20, 14 / 20)
    assert busy.offered_rate == 1.0
    assert (
        busy.completed_rate == 0.7
    )  # those due from 10 to 17 s ended within the window, but for the dropped
    assert (busy.start_seconds, busy.end_seconds) == (10.0, 20.0)


def test_percentiles_are_over_offered_requests_and_the_view_over_successes_stands_beside_them() -> None:
    busy = summarize(TWO_STAGES, mixed(), [report(planned=20)], [], {}).stages[1]
    ttft = busy.latencies["ttft"]
    assert (ttft.n, ttft.n_failed) == (10, 4)
    assert ttft.p50 == pytest.approx(0.9)  # the 5th of 0.5 0.6 0.7 0.8 0.9 1.0 ∞ ∞ ∞ ∞
    assert ttft.p90 == math.inf
    assert ttft.over_ok["p50"] == pytest.approx(0.7)
    assert ttft.mean_ok == pytest.approx(0.75)
    assert ttft.max_ok == pytest.approx(1.0)
    assert ttft.p99_ci is None


def test_a_request_finished_after_its_stage_counts_in_the_window_in_which_it_finished() -> None:
    rows = [record(0, due=9.0, ttft=0.5, e2e=2.0, stage=0, output_tokens=30)]
    calm, busy = summarize(TWO_STAGES, records_of(rows), [report(planned=1)], [], {}).stages
    assert (calm.completed, calm.completed_rate) == (1, 0.0)
    assert (busy.completed, busy.completed_rate) == (0, 0.1)
    # 30 tokens from 9.5 s to 11 s: a third of them before 10 s.
    assert calm.output_tokens_per_second == pytest.approx(1.0)
    assert busy.output_tokens_per_second == pytest.approx(2.0)


def test_an_objective_of_another_stage_does_not_touch_attainment() -> None:
    strict = objective("ttft", 0.01, 99, stages=("busy",))
    good = meets_all(mixed(), [strict], ["calm", "busy"])
    assert good[:10].all()
    assert not good[10:].any()


def test_a_request_without_a_tpot_is_within_a_tpot_objective() -> None:
    records = records_of([record(0, 0.0, output_tokens=1), record(1, 0.0, outcome=Outcome.EMPTY)])
    assert meets(records, objective("tpot", 0.001, 99)).tolist() == [True, False]


def test_an_itl_objective_holds_a_request_to_its_mean_gap() -> None:
    records = records_of([record(0, 0.0, ttft=0.1, e2e=0.5)])  # 4 gaps of 0.1 s
    assert meets(records, objective("itl", 0.11, 99)).all()
    assert not meets(records, objective("itl", 0.09, 99)).any()


def test_cancelled_requests_are_failures_in_a_complete_run_and_left_out_of_an_aborted_one() -> None:
    rows = [record(0, 0.0), record(1, 1.0, outcome=Outcome.CANCELLED)]
    complete = summarize(TWO_STAGES, records_of(rows), [report(planned=2)], [], {})
    aborted = summarize(TWO_STAGES, records_of(rows), [report(planned=2)], [], {}, aborted=True)
    assert (complete.whole.offered, complete.whole.error_share) == (2, 0.5)
    assert (aborted.whole.offered, aborted.whole.error_share) == (1, 0.0)
    assert aborted.generator.lost_records == 0


def test_the_gaps_of_both_workers_are_merged_per_stage() -> None:
    reports = [
        report(0, planned=2, itl=(histogram_of([0.01] * 6), histogram_of([0.02] * 2))),
        report(1, planned=2, itl=(histogram_of([0.03] * 2),)),
    ]
    rows = [record(seq, due=seq * 5.0, stage=seq // 2) for seq in range(4)]
    calm, busy = summarize(TWO_STAGES, records_of(rows), reports, [], {}).stages
    assert (calm.itl.n, busy.itl.n) == (8, 2)
    assert calm.itl.p50 == pytest.approx(0.01, rel=0.01)
    assert calm.itl.p99 == pytest.approx(0.03, rel=0.01)


def test_an_answer_that_failed_adds_as_many_infinite_gaps_as_a_success_has() -> None:
    rows = [record(0, 0.0), record(1, 1.0), record(2, 2.0, outcome=Outcome.TRUNCATED)]
    itl = summarize(TWO_STAGES, records_of(rows), [report(planned=2)], [], {}).whole.itl
    assert (itl.n, itl.n_failed) == (8 + 4, 4)
    assert itl.p50 < 0.11
    assert itl.p90 == math.inf
    assert itl.over_ok["p99"] == pytest.approx(0.1, rel=0.01)


def test_seconds_of_chosen_stages_are_numbered_without_the_time_between_them() -> None:
    windows = stage_windows(scenario_of(stage("a", 2), stage("b", 5), stage("c", 1.5)))
    due, index = np.array([0.5, 1.5, 7.2, 8.4]), np.array([0, 0, 2, 2], dtype=np.uint8)
    seconds = seconds_of_stages(due, index, windows, {"a", "c"})
    assert seconds.of_request.tolist() == [0, 1, 2, 3]
    assert seconds.widths.tolist() == [1.0, 1.0, 1.0, 0.5]
    assert seconds.stage.tolist() == [0, 0, 2, 2]
    assert seconds.count(np.array([True, False, True, True])).tolist() == [1, 0, 1, 1]


def test_summary_json_gives_the_same_summary_back() -> None:
    scenario = scenario_of(stage("calm", 10), stage("busy", 10), spike=("busy", "calm"))
    summary = summarize(
        scenario,
        mixed(),
        [report(planned=20)],
        [objective("ttft", 0.8, 99)],
        {"run_id": "r-1", "cpus": 2},
        ServerCounts("vllm", 16, None),
        capacity=Capacity(4.5, 8, 36, 8.0),
    )
    text = summary.to_json()
    again = Summary.from_json(text)
    assert again.to_json() == text
    assert again.run_id == "r-1"
    assert again.spike == summary.spike
    assert again.generator == summary.generator
    assert again.stages[1].latencies["ttft"] == summary.stages[1].latencies["ttft"]
    assert (again.capacity, again.reconciliation) == (summary.capacity, summary.reconciliation)
    assert '"p99": "+Inf"' in text
    assert "NaN" not in text


def test_a_run_without_any_record_has_a_summary_without_numbers() -> None:
    summary = summarize(TWO_STAGES, records_of([]), [], [objective("ttft", 1.0, 99)], {})
    assert summary.whole.offered == 0
    assert math.isnan(summary.whole.attainment)
    assert math.isnan(summary.whole.latencies["ttft"].p99)
    assert math.isnan(summary.whole.itl.p99)
    assert Summary.from_json(summary.to_json()).to_json() == summary.to_json()


def synthetic(n: int) -> Records:
    rng = np.random.default_rng(0)
    due = np.sort(rng.integers(0, 20 * SECOND, n))
    first = due + rng.integers(10**8, 10**9, n)
    last = first + 10**9
    ones = {name: np.ones(n, np.int64) for name in SCHEMA.names if SCHEMA.field(name).type != pa.string()}
    columns = ones | {
        "seq": np.arange(n),
        "stage": due // (10 * SECOND),
        "trace_id": pa.repeat("0" * 32, n),
        "outcome": pa.repeat("ok", n),
        "token_source": pa.repeat("usage", n),
        "sampled": np.zeros(n, bool),
        "intended_ns": due,
        "sent_ns": due + 1000,
        "first_token_ns": first,
        "last_token_ns": last,
        "end_ns": last,
    }
    absent = {
        name: pa.nulls(n, SCHEMA.field(name).type) for name in ("error_type", "finish_reason", "gaps_ns")
    }
    return from_tables([pa.table({name: (columns | absent)[name] for name in SCHEMA.names}).cast(SCHEMA)])


def test_two_hundred_thousand_records_are_summarized_within_seconds() -> None:
    records = synthetic(200_000)
    began = time.process_time()
    summarize(TWO_STAGES, records, [report(planned=0)], [objective("ttft", 1.0, 99)], {})
    assert time.process_time() - began < 2.5  # a million in 5 s is the aim; the rest is for a slow machine
