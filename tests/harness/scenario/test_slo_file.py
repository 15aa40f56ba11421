"""OpenSLO files become the same objectives as inline SLOs."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.scenario.load import load_scenario, resolve
from harness.scenario.objective import objectives
from harness.scenario.slo_file import read_slo_file
from tests.harness.scenario.scenario_files import SMALLEST, mistakes_of, write

LATENCY = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: fast}
spec:
  indicator:
    spec:
      thresholdMetric:
        metricSource: {type: tidegate, spec: {metric: ttft}}
  objectives:
    - {op: lte, value: 1.5, target: 0.99}
  gate: {stages: [only]}
"""
RATIO = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: sound}
spec:
  indicator:
    spec:
      ratioMetric:
        bad: {metricSource: {spec: {metric: error_share}}}
        total: {metricSource: {spec: {metric: offered}}}
  objectives:
    - {target: 0.99}
"""


def test_a_target_of_99_percent_within_a_time_is_a_99th_percentile(tmp_path: Path) -> None:
    (slo,) = read_slo_file(write(tmp_path, LATENCY, "slos/fast.yaml"))
    assert (slo.name, slo.metric, slo.percentile, slo.at_most) == ("fast", "ttft", 99.0, "1.5s")
    assert (slo.stages, slo.source) == (("only",), "slos/fast.yaml")


def test_99_percent_without_error_is_an_error_share_of_at_most_1_percent(tmp_path: Path) -> None:
    (slo,) = read_slo_file(write(tmp_path, RATIO))
    assert (slo.metric, slo.at_most, slo.at_least, slo.stages) == ("error_share", 0.01, None, None)


def test_a_good_ratio_is_a_lower_bound(tmp_path: Path) -> None:
    text = RATIO.replace("bad:", "good:").replace("error_share", "attainment")
    (slo,) = read_slo_file(write(tmp_path, text))
    assert (slo.metric, slo.at_most, slo.at_least) == ("attainment", None, 0.99)


def test_several_objectives_of_one_file_are_numbered(tmp_path: Path) -> None:
    text = LATENCY.replace("0.99}", "0.99}\n    - {op: lt, value: 300ms, target: 0.999}")
    first, second = read_slo_file(write(tmp_path, text))
    assert (first.name, second.name) == ("fast-1", "fast-2")
    assert (second.percentile, second.at_most) == (99.9, "300ms")


def test_other_metrics_bound_their_value(tmp_path: Path) -> None:
    text = LATENCY.replace("metric: ttft", "metric: goodput").replace(
        "lte, value: 1.5, target: 0.99", "gte, value: 0.6x"
    )
    (slo,) = read_slo_file(write(tmp_path, text))
    assert (slo.metric, slo.percentile, slo.at_least) == ("goodput", None, "0.6x")


@pytest.mark.parametrize(
    ("old", "new", "key", "allowed"),
    [
        ("openslo/v1", "openslo/v2", "apiVersion", "openslo/v1"),
        ("kind: SLO", "kind: Service", "kind", "SLO"),
        ("name: fast", "name: Fast", "metadata.name", "lower-case"),
        (
            "metric: ttft",
            "metric: tfft",
            "spec.indicator.spec.thresholdMetric.metricSource.spec.metric",
            "ttft",
        ),
        ("metric: ttft", "metric: offered", "spec.indicator.spec", "ratio's total"),
        ("thresholdMetric", "tresholdMetric", "spec.indicator.spec.tresholdMetric", "thresholdMetric (the"),
        ("gate: {stages", "gate: {stage", "spec.gate.stage", "stages (the nearest)"),
        (", target: 0.99", "", "spec.objectives[0]", "a target below 1"),
        ("target: 0.99", "target: 1", "spec.objectives[0]", "a target below 1"),
        ("target: 0.99", "target: 99", "spec.objectives[0].target", "less than or equal to 1"),
        ("op: lte, ", "", "spec.objectives[0]", "op and value"),
        ("op: lte", "op: gte", "spec.objectives[0]", "at_most for ttft"),
        ("value: 1.5", "value: -1", "spec.objectives[0]", "a duration"),
        ("value: 1.5", "value: fast", "spec.objectives[0]", "a duration"),
        ("metric: ttft", "metric: error_share", "spec.objectives[0]", "no target for error_share"),
    ],
)
def test_a_mistake_in_an_slo_file_is_found(
    tmp_path: Path, old: str, new: str, key: str, allowed: str
) -> None:
    assert old in LATENCY
    with pytest.raises(UsageError) as caught:
        read_slo_file(write(tmp_path, LATENCY.replace(old, new)))
    found = {mistake.key: mistake for mistake in caught.value.mistakes}[key]
    assert found.line
    assert allowed in found.allowed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("error_share", "ttft"),
        ("offered", "error_share"),
        ("bad:", "good:"),
        ("{target: 0.99}", "{op: lte, target: 0.99}"),
    ],
)
def test_a_ratio_is_of_known_events_among_the_offered(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(UsageError):
        read_slo_file(write(tmp_path, RATIO.replace(old, new)))


def test_slo_files_are_judged_with_the_inline_objectives(tmp_path: Path) -> None:
    write(tmp_path, LATENCY, "slos/fast.yaml")
    text = SMALLEST + "slos: [{name: e, metric: error_share, at_most: 1%}]\nslo_files: [slos/fast.yaml]\n"
    scenario = load_scenario(write(tmp_path, text))
    assert [objective.name for objective in objectives(scenario)] == ["e", "fast"]
    resolved = resolve(scenario, None)
    assert resolved.slo_files == ()
    assert objectives(resolved) == objectives(scenario)


def test_mistakes_inside_an_slo_file_are_reported_with_that_file(tmp_path: Path) -> None:
    slo_file = write(tmp_path, LATENCY.replace("ttft", "tfft"), "slos/fast.yaml")
    found = mistakes_of(write(tmp_path, SMALLEST + "slo_files: [slos/fast.yaml]\n"))
    assert found["slo_files[0]"].line == 6
    assert found["spec.indicator.spec.thresholdMetric.metricSource.spec.metric"].file == slo_file.resolve()


def test_an_slo_file_for_stages_that_the_scenario_lacks_is_a_mistake(tmp_path: Path) -> None:
    write(tmp_path, LATENCY.replace("[only]", "[spike]"), "slos/fast.yaml")
    found = mistakes_of(write(tmp_path, SMALLEST + "slo_files: [slos/fast.yaml]\n"))["slo_files[0]"]
    assert "'spike'" in found.given
    assert found.allowed == "a stage of this scenario (only)"


def test_two_slos_of_one_name_are_a_mistake_across_files(tmp_path: Path) -> None:
    write(tmp_path, LATENCY, "slos/fast.yaml")
    found = mistakes_of(write(tmp_path, SMALLEST + "slo_files: [slos/fast.yaml, slos/fast.yaml]\n"))
    assert found["slo_files[1]"].allowed == "an SLO whose name no other has"


def test_a_recovery_objective_in_a_file_needs_a_spike(tmp_path: Path) -> None:
    text = LATENCY.replace("metric: ttft", "metric: drain_time").replace(", target: 0.99", "")
    write(tmp_path, text.replace("  gate: {stages: [only]}\n", ""), "slos/drain.yaml")
    found = mistakes_of(write(tmp_path, SMALLEST + "slo_files: [slos/drain.yaml]\n"))["slo_files[0]"]
    assert "spike" in found.allowed
