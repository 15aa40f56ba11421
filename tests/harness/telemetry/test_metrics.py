import re
import time

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.openmetrics.exposition import generate_latest

from harness.measure.record import Outcome, RequestRecord, TokenSource
from harness.measure.record_batch import RecordBatch
from harness.scenario.objective import Objective
from harness.telemetry.bulk_histogram import BulkHistogram
from harness.telemetry.metrics import HarnessMetrics
from observability.buckets import latency_buckets

MS = 1_000_000


TTFT = Objective("first-token", "ttft", 99.0, "at_most", 0.3)


def record(**changes) -> RequestRecord:
    facts = {
        "seq": 1, "worker": 0, "stage": 0, "trace_id": "ab" * 16, "sampled": True, "intended_ns": 0,
        "sent_ns": 2 * MS, "first_token_ns": 300 * MS, "end_ns": 900 * MS, "outcome": Outcome.OK,
        "output_tokens": 12, "token_source": TokenSource.USAGE,
    }  # fmt: skip
    return RequestRecord(**{**facts, **changes})


def batch(*requests: RequestRecord) -> RecordBatch:
    return RecordBatch.from_records(requests, 0)


def test_each_counter_counts_what_its_name_says():
    registry = CollectorRegistry()
    metrics = HarnessMetrics(registry, [TTFT])
    dropped = {"outcome": Outcome.DROPPED, "sent_ns": None, "first_token_ns": None, "output_tokens": 0}
    silent = {"outcome": Outcome.TIMEOUT, "first_token_ns": None, "output_tokens": 7, "end_ns": 5000 * MS}
    metrics.observe_batch(batch(record(), record(**dropped), record(**silent)))
    value = registry.get_sample_value
    assert value("tidegate_completed_total", {"outcome": "ok"}) == 1
    assert value("tidegate_completed_total", {"outcome": "dropped"}) == 1
    assert value("tidegate_completed_total", {"outcome": "refused"}) == 0  # there from the start
    assert value("tidegate_output_tokens_total") == 12
    assert value("tidegate_schedule_delay_seconds_sum") == 0.004
    assert value("tidegate_time_to_first_token_seconds_sum") == 0.3
    assert value("tidegate_service_time_to_first_token_seconds_sum") == 0.298
    for outcome, seconds in (("ok", 0.9), ("dropped", 0.9), ("timeout", 5.0)):
        assert value("gen_ai_client_operation_duration_seconds_sum", {"outcome": outcome}) == seconds
        assert value("gen_ai_client_operation_duration_seconds_count", {"outcome": outcome}) == 1


def test_the_objective_is_a_bound_so_that_the_share_within_it_is_exact():
    registry = CollectorRegistry()
    metrics = HarnessMetrics(registry, [TTFT])
    metrics.observe_batch(batch(*(record(first_token_ns=at_ms * MS) for at_ms in (299, 300, 301))))
    assert registry.get_sample_value("tidegate_time_to_first_token_seconds_bucket", {"le": "0.3"}) == 2


def test_a_sampled_request_leaves_its_trace_id_as_an_exemplar():
    registry = CollectorRegistry()
    metrics = HarnessMetrics(registry)
    metrics.observe_batch(batch(record()))
    assert f'trace_id="{"ab" * 16}"' in generate_latest(registry).decode()


def test_the_exemplar_of_a_bucket_is_the_newest_sampled_trace_that_fell_into_it():
    metrics = HarnessMetrics(registry := CollectorRegistry())
    facts = [
        ("9", None, True),
        ("a", 300, True),
        ("b", 301, True),
        ("c", 302, False),
        ("d", 9000, True),
        ("e", 9000, False),
    ]
    metrics.observe_batch(
        batch(*(record(trace_id=n * 32, first_token_ns=ms and ms * MS, sampled=yes) for n, ms, yes in facts))
    )
    [family] = [f for f in registry.collect() if f.name == "tidegate_time_to_first_token_seconds"]
    exemplars = [sample.exemplar for sample in family.samples if sample.exemplar]
    assert [(e.labels, e.value) for e in exemplars] == [
        ({"trace_id": "b" * 32}, 0.301),
        ({"trace_id": "d" * 32}, 9.0),
    ]


def page_of(registry: CollectorRegistry) -> str:
    return re.sub(r" \d{9,}\.\d+(e\+\d+)?| 1\.\d+e\+09", " <instant>", generate_latest(registry).decode())


@pytest.mark.parametrize("batches", [1, 3])
def test_the_page_of_a_batch_is_that_of_the_library_fed_one_by_one(batches: int):
    step_ns = 1_953_125  # 1/512 s: sums of it are exact in any order
    bounds = (4 / 512, 0.25, 1.0)
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    one_by_one = Histogram("h_seconds", "Help.", ["outcome"], registry=theirs, buckets=bounds)
    in_bulk = BulkHistogram("h_seconds", "Help.", ["outcome"], registry=ours, buckets=bounds)
    values_ns = step_ns * np.array([1, 4, 5, 129, 128, 1024, 5000, 0, 3])
    sampled = np.array([1, 0, 0, 1, 1, 1, 0, 0, 0], bool)
    for value_ns, taken in zip(values_ns, sampled, strict=True):
        exemplar = {"trace_id": f"t{value_ns}"} if taken else None
        one_by_one.labels("ok").observe(value_ns / 1e9, exemplar)
    for values, taken in zip(np.split(values_ns, batches), np.split(sampled, batches), strict=True):
        in_bulk.labels("ok").observe_many(
            values, np.flatnonzero(taken), lambda row, values=values: {"trace_id": f"t{values[row]}"}
        )
    assert page_of(ours) == page_of(theirs)
    assert page_of(ours).count("# {trace_id=") == 4
    first = 'h_seconds_bucket{le="0.0078125",outcome="ok"} 4.0 # {trace_id="t1953125"} 0.001953125 <instant>'
    assert first in page_of(ours)


def test_an_empty_part_of_a_batch_changes_nothing():
    registry = CollectorRegistry()
    histogram = BulkHistogram("h_seconds", "Help.", registry=registry, buckets=(1.0,))
    histogram.observe_many(np.empty(0, np.int64), np.empty(0, np.intp), lambda _row: {})
    assert registry.get_sample_value("h_seconds_count") == 0
    assert registry.get_sample_value("h_seconds_sum") == 0


def test_ten_thousand_records_cost_a_twentieth_of_the_calls_one_by_one():
    many = batch(*(record(seq=i, first_token_ns=i * MS, sampled=i % 20 == 0) for i in range(10_000)))
    metrics = HarnessMetrics(CollectorRegistry(), [TTFT])
    histogram = Histogram("h_seconds", "Help.", registry=None, buckets=latency_buckets([0.3]))
    began = time.process_time()
    for first_token_ns in many.first_token_ns.tolist():
        histogram.observe(first_token_ns / 1e9)
    one_histogram_seconds = time.process_time() - began
    began = time.process_time()
    metrics.observe_batch(many)  # four histograms, and counters
    assert time.process_time() - began < 4 * one_histogram_seconds / 20


def test_a_broken_answer_is_no_fast_first_token():
    metrics = HarnessMetrics(registry := CollectorRegistry())
    metrics.observe_batch(batch(record(outcome=Outcome.TRUNCATED, first_token_ns=1 * MS)))
    assert registry.get_sample_value("tidegate_time_to_first_token_seconds_count") == 0


def test_each_objective_counts_what_was_offered_in_its_stages_and_what_of_it_was_good():
    wanted = [
        Objective("first-token", "ttft", 99.0, "at_most", 0.3, ("sale",)),
        Objective("few-errors", "error_share", None, "at_most", 0.02),
        Objective("hardly-shed", "shed_share", None, "at_most", 0.15),
        Objective("useful", "goodput", None, "at_least", 5.0),  # no share of single requests: not counted
    ]
    metrics = HarnessMetrics(registry := CollectorRegistry(), wanted, ["before", "sale"])
    shed = {"outcome": Outcome.REJECTED, "first_token_ns": None, "output_tokens": 0}
    late = {"first_token_ns": 301 * MS}
    metrics.observe_batch(
        batch(
            record(stage=0, **late),
            record(stage=1, **late),
            record(stage=1),
            record(stage=1, **shed),
            record(stage=1, **{**shed, "outcome": Outcome.TIMEOUT}),
        )
    )
    value = registry.get_sample_value
    counted = {
        name: (
            value("tidegate_objective_offered_total", {"objective": name}),
            value("tidegate_objective_good_total", {"objective": name}),
        )
        for name in ("first-token", "few-errors", "hardly-shed", "useful")
    }
    assert counted == {
        "first-token": (4, 1),
        "few-errors": (5, 4),
        "hardly-shed": (5, 4),
        "useful": (None, None),
    }
    assert value("tidegate_good_total") == 2  # the late one before the sale, and the one in time in it
    assert [objective.target_share for objective in metrics.objectives] == [0.99, 0.98, 0.85]
