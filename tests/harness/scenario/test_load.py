"""A scenario file loads to one value; the value dumps to a file that loads to it again."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.scenario.load import dump, json_schema, load_scenario, needs_capacity, resolve
from harness.scenario.model import GammaArrivals, Lognormal, Rate, Scenario, Slo, Stage
from harness.scenario.objective import Objective, latency_thresholds_seconds, objectives
from tests.harness.scenario.scenario_files import SMALLEST, mistakes_of, write

EVERYTHING = """
name: everything
description: All keys at once.
seed: 9
target:
  url: https://example.test:8443/base/v1/
  api: completions
  model: some/model
  api_key_env: MY_KEY
  stream: false
  connect_timeout: 1s
  read_timeout: 500ms
  request_timeout: 1m
  temperature: 0.7
  ignore_eos: true
  verify_tls: false
workload:
  prompt_tokens: {median: 100, sigma: 0.5, min: 10, max: 400}
  output_tokens: 12
  shared_prefix: {count: 4, tokens: 8, zipf: 1.2}
max_in_flight: 50
drain: 0s
trace_sample_share: 10%
capacity: {concurrency: 3, duration: 2s}
stages:
  - {name: calm, duration: 20s, rate: 30/min, arrivals: constant}
  - {name: up, duration: 2s, ramp: {from: 0.5x, to: 3x}}
  - {name: down, duration: 10s, decay: {from: 3x, to: 1/s, half_life: 2s}, arrivals: {gamma: {burstiness: 4}}}
slos:
  - {name: ttft, metric: ttft, percentile: 99, at_most: 1.5s, stages: [calm]}
  - {name: errors, metric: error_share, at_most: 1%}
  - {name: work, metric: goodput, at_least: 0.6x, stages: [up, down]}
  - {name: back, metric: time_to_recover, at_most: 20s}
limits: {schedule_delay_p99: 5ms, dropped_share: 0}
spike: {stage: up, baseline: calm}
"""


def test_the_smallest_scenario_has_the_documented_defaults(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, SMALLEST))
    assert scenario.stages == (Stage(name="only", duration=10.0, rate=Rate(5.0)),)
    assert scenario.target.url is None
    assert (scenario.target.connect_timeout, scenario.target.read_timeout) == (5.0, 30.0)
    assert (scenario.target.request_timeout, scenario.drain) == (120.0, 30.0)
    assert (scenario.max_in_flight, scenario.seed, scenario.limits.dropped_share) == (1000, 0, 0.001)


def test_every_key_reaches_the_value_in_base_units(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, EVERYTHING))
    assert scenario.target.url == "https://example.test:8443/base"
    assert (scenario.target.read_timeout, scenario.target.request_timeout) == (0.5, 60.0)
    assert scenario.workload.prompt_tokens == Lognormal(median=100, sigma=0.5, min=10, max=400)
    assert scenario.trace_sample_share == pytest.approx(0.1)
    calm, up, down = scenario.stages
    assert calm.rate == Rate(0.5)
    assert up.ramp is not None
    assert (up.ramp.from_, up.ramp.to) == (Rate(0.5, "x"), Rate(3.0, "x"))
    assert down.decay is not None
    assert down.decay.half_life == 2.0
    assert isinstance(down.arrivals, GammaArrivals)
    assert scenario.duration_seconds == 32.0
    assert scenario.stage_starts_seconds() == (0.0, 20.0, 22.0)


def test_resolving_makes_rates_and_goodput_absolute(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, EVERYTHING))
    assert needs_capacity(scenario)
    resolved = resolve(scenario, 8.0)
    assert not needs_capacity(resolved)
    assert [rate for stage in resolved.stages for rate in stage.rates()] == [
        Rate(0.5),
        Rate(4.0),
        Rate(24.0),
        Rate(24.0),
        Rate(1.0),
    ]
    goodput = {objective.name: objective for objective in objectives(resolved)}["work"]
    assert goodput.threshold == pytest.approx(4.8)
    assert resolve(resolved, None) == resolved


@pytest.mark.parametrize("capacity", [None, 0.0, -1.0, float("nan")])
def test_multiples_cannot_be_resolved_without_a_capacity(tmp_path: Path, capacity: float | None) -> None:
    scenario = load_scenario(write(tmp_path, EVERYTHING))
    with pytest.raises(ValueError, match="capacity"):
        resolve(scenario, capacity)


def test_a_goodput_threshold_alone_needs_the_capacity(tmp_path: Path) -> None:
    text = SMALLEST + "slos: [{name: work, metric: goodput, at_least: 0.6x}]\n"
    assert needs_capacity(load_scenario(write(tmp_path, text)))
    assert not needs_capacity(load_scenario(write(tmp_path, SMALLEST)))


def test_objectives_say_where_they_were_written(tmp_path: Path) -> None:
    scenario = load_scenario(write(tmp_path, EVERYTHING.lstrip(), "every.yaml"))
    found = objectives(resolve(scenario, 1.0))
    line = EVERYTHING.lstrip().splitlines().index("slos:") + 2
    assert found[0] == Objective("ttft", "ttft", 99.0, "at_most", 1.5, ("calm",), f"every.yaml:{line}")
    assert found[1].threshold == pytest.approx(0.01)
    assert found[1].stages == ()
    assert latency_thresholds_seconds(found) == (1.5,)
    assert found[0].applies_to("calm")
    assert not found[0].applies_to("up")
    assert found[1].applies_to("up")


@pytest.mark.parametrize("capacity", [None, 7.3])
def test_a_dumped_scenario_loads_to_the_same_value(tmp_path: Path, capacity: float | None) -> None:
    scenario = load_scenario(write(tmp_path, EVERYTHING))
    if capacity:
        scenario = resolve(scenario, capacity)
    assert load_scenario(write(tmp_path, dump(scenario), "again.yaml")) == scenario


def test_a_scenario_built_in_python_with_plain_seconds_dumps_with_units(tmp_path: Path) -> None:
    built = Scenario(
        name="built",
        stages=(Stage(name="a", duration=1e-05, rate=Rate(1 / 3)),),
        slos=(Slo(name="t", metric="e2e", percentile=50, at_most=0.25),),
    )
    loaded = load_scenario(write(tmp_path, dump(built)))
    assert loaded.stages == built.stages
    assert objectives(loaded)[0].threshold == 0.25


def test_a_multiple_in_an_objective_must_be_resolved_before_it_is_judged(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="capacity"):
        objectives(load_scenario(write(tmp_path, EVERYTHING)))


def test_paths_are_relative_to_the_files_own_folder(tmp_path: Path) -> None:
    prompts = write(tmp_path, '{"prompt": "hello"}\n', "data/prompts.jsonl")
    text = SMALLEST + "workload: {prompts_file: ../data/prompts.jsonl}\n"
    scenario = load_scenario(write(tmp_path, text, "scenarios/s.yaml"))
    assert scenario.workload.prompts_file == prompts


def test_the_json_schema_has_the_keys_as_they_are_written() -> None:
    schema = json_schema()
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert set(schema["$defs"]["Ramp"]["properties"]) == {"from", "to"}
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name", "stages"]


def test_a_missing_file_is_a_usage_error_without_traceback(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file") as caught:
        load_scenario(tmp_path / "none.yaml")
    assert caught.value.mistakes[0].file == tmp_path / "none.yaml"


def test_a_folder_is_not_a_scenario(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory"):
        load_scenario(tmp_path)


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a list\n", "just words\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert mistakes_of(write(tmp_path, text))["the file"].allowed == "a mapping of keys to values"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: a\nstages: [\n", 3),
        ("name: a\n\tb: 1\n", 2),
        ("name: &a [*a]\n", None),
        ("a: !!python/none x\n", 1),
    ],
)
def test_broken_yaml_is_reported_with_its_line(tmp_path: Path, text: str, line: int | None) -> None:
    found = mistakes_of(write(tmp_path, text))["YAML"]
    assert found.line == line


def test_yaml_that_aliases_blow_up_is_refused_quickly(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "YAML" in mistakes_of(write(tmp_path, "\n".join(levels)))


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("name: caf\xe9".encode("latin-1"))
    with pytest.raises(UsageError, match="not utf-8"):
        load_scenario(file)


def test_the_files_a_scenario_names_can_be_left_unread(tmp_path: Path) -> None:
    text = SMALLEST + "slo_files: [none.yaml]\n"
    file = write(tmp_path, text)
    assert mistakes_of(file)["slo_files[0]"].given == "none.yaml"
    assert load_scenario(file, check_files=False).slo_files == (tmp_path / "none.yaml",)


def test_anchors_may_be_used(tmp_path: Path) -> None:
    text = "name: a\nstages:\n  - &one {name: x, duration: 1s, rate: 1/s}\n  - {<<: *one, name: y}\n"
    scenario = load_scenario(write(tmp_path, text))
    assert [stage.name for stage in scenario.stages] == ["x", "y"]


def test_loading_leaves_the_file_alone(tmp_path: Path) -> None:
    file = write(tmp_path, EVERYTHING)
    file.chmod(stat.S_IRUSR)
    before = file.read_bytes()
    load_scenario(file)
    assert file.read_bytes() == before
