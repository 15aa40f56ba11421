"""Every YAML file in scenarios/ loads, fits the JSON schema, and the table lists it."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from harness.arrivals import build_plan
from harness.scenario.load import dump, json_schema, load_scenario, needs_capacity, resolve
from harness.scenario.model import Scenario
from harness.scenario.objective import objectives
from harness.scenario.slo_file import read_slo_file
from harness.workload import build_workload
from tests.harness.scenario.scenario_files import write
from tests.harness.scenario.trace_samples import AZURE, real_trace

FOLDER = Path(__file__).resolve().parents[3] / "scenarios"
SCENARIOS = sorted(FOLDER.glob("*.yaml"))
SLO_FILES = sorted(FOLDER.glob("slos/*.yaml"))


def load(file: Path, tmp_path: Path) -> Scenario:
    """Load a scenario; a replay gets a small trace, since the repository ships none."""
    return load_scenario(file, trace=write(tmp_path, AZURE, "trace.csv"))


def test_the_named_scenarios_are_there() -> None:
    names = {file.stem for file in SCENARIOS}
    assert names >= {"smoke", "steady", "ramp", "flash_sale", "replay_azure_code", "soak"}
    assert SLO_FILES


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_it_loads_resolves_plans_and_dumps(file: Path, tmp_path: Path) -> None:
    scenario = load(file, tmp_path)
    assert scenario.name == file.stem
    resolved = resolve(scenario, 10.0)
    assert load_scenario(write(tmp_path, dump(resolved), "again.yaml")) == resolved
    assert objectives(resolved)
    plan = build_plan(resolved)
    assert len(plan) > 0
    build_workload(resolved).ask(0, 0, 16, 4)


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_it_fits_the_json_schema_and_so_does_its_dump(file: Path, tmp_path: Path) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.validate(yaml.safe_load(file.read_text()))
    validator.validate(yaml.safe_load(dump(resolve(load(file, tmp_path), 10.0))))


@pytest.mark.parametrize(
    "change",
    [
        {"sede": 1},
        {"stages": []},
        {"drain": 5},
        {"stages": [{"name": "a", "duration": "1s"}]},
        {"name": "A b"},
    ],
)
def test_the_json_schema_refuses_what_loading_refuses(change: dict[str, object]) -> None:
    data = yaml.safe_load((FOLDER / "smoke.yaml").read_text()) | change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json_schema())


@pytest.mark.parametrize("file", SLO_FILES, ids=lambda file: file.stem)
def test_every_slo_file_loads(file: Path) -> None:
    assert read_slo_file(file)


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_the_table_lists_it(file: Path) -> None:
    assert f"[{file.name}]({file.name})" in (FOLDER / "README.md").read_text()


def test_the_smoke_test_sends_24_requests_without_a_probe() -> None:
    scenario = load_scenario(FOLDER / "smoke.yaml")
    assert not needs_capacity(scenario)
    plan = build_plan(scenario)
    assert (len(plan), plan.offsets_seconds[0], plan.offsets_seconds[1]) == (24, 1 / 6, 0.5)


def test_the_flash_sale_ends_within_100_seconds_and_peaks_at_three_times_the_capacity() -> None:
    scenario = load_scenario(FOLDER / "flash_sale.yaml")
    assert scenario.duration_seconds + scenario.drain <= 100
    assert max(rate.value for stage in scenario.stages for rate in stage.rates()) == 3.0
    assert {rate.unit for stage in scenario.stages for rate in stage.rates()} == {"x"}


def test_the_replay_of_the_real_trace_sends_its_first_five_minutes() -> None:
    trace = real_trace("azure-llm-2023-code.csv")
    plan = build_plan(load_scenario(FOLDER / "replay_azure_code.yaml", trace=trace))
    rows = trace.read_text().splitlines()[1:]
    assert len(plan) == 781
    assert plan.input_tokens is not None
    assert plan.input_tokens.tolist() == [int(row.split(",")[1]) for row in rows[:781]]
    assert plan.offsets_seconds[1] * 20 == pytest.approx(0.052, abs=1e-5)


def test_the_hundred_thousand_streams_are_a_hundred_thousand_and_all_may_be_open() -> None:
    scenario = load_scenario(FOLDER / "connections_100k.yaml")
    plan = build_plan(scenario)
    assert (len(plan), scenario.max_in_flight) == (100_000, 100_000)
    assert plan.offsets_seconds[-1] < 4
    workload = build_workload(scenario)
    assert workload.ask(0, 0) is workload.ask(99_999, 0)  # encoded once, however many ask it
    # 20 gaps of 3 s after the first token: a stream lasts a minute, and its timeouts allow that.
    assert scenario.target.request_timeout > 60 < scenario.drain
    assert scenario.target.connection == "close"
