from prometheus_client import CollectorRegistry

from harness.measure.live_objectives import countable
from harness.scenario.model import Scenario
from harness.scenario.objective import Objective
from harness.telemetry.run_metrics import RunFacts, RunMetrics

SCENARIO = Scenario.model_validate(
    {
        "name": "sale",
        "target": {"url": "http://127.0.0.1:1", "model": "tiny"},
        "stages": [
            {"name": "before", "duration": 30, "rate": "1/s"},
            {"name": "opening", "duration": 2, "rate": "3/s"},
        ],
        "limits": {"dropped_share": 0.01},
    }
)
WANTED = (
    Objective("first-token", "ttft", 95.0, "at_most", 1.5),
    Objective("few-errors", "error_share", None, "at_most", 0.02),
)


def told() -> tuple[CollectorRegistry, RunMetrics]:
    registry = CollectorRegistry()
    facts = RunFacts("sale-1", SCENARIO, "0.1.0", 0.03, 0.1)
    return registry, RunMetrics(registry, facts, countable(WANTED, ["before", "opening"]))


def test_the_run_is_named_on_one_series_alone():
    registry, _ = told()
    labels = {"run": "sale-1", "scenario": "sale", "model": "tiny", "version": "0.1.0"}
    assert registry.get_sample_value("tidegate_run_info", labels) == 1
    named = [sample.name for f in registry.collect() for sample in f.samples if "run" in sample.labels]
    assert named == ["tidegate_run_info"]


def test_each_stage_begins_when_those_before_it_are_over():
    registry, run = told()
    run.start(1000.0)
    value = registry.get_sample_value
    assert value("tidegate_run_start_time_seconds") == 1000
    assert value("tidegate_stage_start_time_seconds", {"stage": "before"}) == 1000
    assert value("tidegate_stage_start_time_seconds", {"stage": "opening"}) == 1030


def test_limits_and_objectives_stand_beside_what_they_bound():
    value = told()[0].get_sample_value
    assert value("tidegate_lateness_limit_seconds", {"what": "schedule_delay"}) == 0.03
    assert value("tidegate_lateness_limit_seconds", {"what": "loop_lag"}) == 0.1
    assert value("tidegate_dropped_limit_share") == 0.01
    assert value("tidegate_objective_target_share", {"objective": "first-token"}) == 0.95
    assert value("tidegate_objective_target_share", {"objective": "few-errors"}) == 0.98
    bound = {"objective": "first-token", "metric": "ttft"}
    assert value("tidegate_objective_threshold_seconds", bound) == 1.5
