from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from harness.measure.record import Outcome, RequestRecord, TokenSource
from harness.telemetry.metrics import HarnessMetrics
from observability.names import BY_NAME

MS = 1_000_000


def record(**changes) -> RequestRecord:
    facts = {
        "seq": 1, "worker": 0, "stage": 0, "trace_id": "ab" * 16, "sampled": True, "intended_ns": 0,
        "sent_ns": 2 * MS, "first_token_ns": 300 * MS, "end_ns": 900 * MS, "outcome": Outcome.OK,
        "output_tokens": 12, "token_source": TokenSource.USAGE,
    }  # fmt: skip
    return RequestRecord(**{**facts, **changes})


def test_each_counter_counts_what_its_name_says():
    registry = CollectorRegistry()
    metrics = HarnessMetrics(registry, [0.3])
    metrics.observe(record())
    metrics.observe(record(outcome=Outcome.DROPPED, sent_ns=None, first_token_ns=None, output_tokens=0))
    value = registry.get_sample_value
    assert value("tidegate_arrivals_total") == 2
    assert value("tidegate_sent_total") == 1
    assert value("tidegate_completed_total", {"outcome": "ok"}) == 1
    assert value("tidegate_completed_total", {"outcome": "dropped"}) == 1
    assert value("tidegate_completed_total", {"outcome": "timeout"}) == 0  # there from the start
    assert value("tidegate_output_tokens_total") == 12
    assert value("tidegate_schedule_delay_seconds_sum") == 0.002


def test_the_objective_is_a_bound_so_that_the_share_within_it_is_exact():
    registry = CollectorRegistry()
    metrics = HarnessMetrics(registry, [0.3])
    metrics.observe(record(first_token_ns=300 * MS))
    metrics.observe(record(first_token_ns=301 * MS))
    assert registry.get_sample_value("tidegate_time_to_first_token_seconds_bucket", {"le": "0.3"}) == 1


def test_a_sampled_request_leaves_its_trace_id_as_an_exemplar():
    registry = CollectorRegistry()
    metrics = HarnessMetrics(registry)
    metrics.observe(record())
    assert f'trace_id="{"ab" * 16}"' in generate_latest(registry).decode()


def test_gauges_are_read_when_the_page_is_asked_for():
    registry = CollectorRegistry()
    metrics = HarnessMetrics(registry)
    open_now = [3.0]
    metrics.watch(lambda: open_now[0], lambda: 0.004)
    open_now[0] = 5.0
    assert registry.get_sample_value("tidegate_in_flight") == 5
    assert registry.get_sample_value("tidegate_loop_lag_seconds") == 0.004


def test_every_family_on_the_page_is_in_the_table():
    registry = CollectorRegistry()
    metrics = HarnessMetrics(registry)
    metrics.watch(lambda: 0, lambda: 0)
    assert {family.name for family in registry.collect()} <= set(BY_NAME)
