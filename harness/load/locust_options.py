"""Our options on Locust's command line and in its start form, and the scenario that they choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.scenario.load import aim, load_scenario
from harness.scenario.model import Scenario

SCENARIOS_DIR = Path("scenarios")


class _Suggestions(list[str]):
    """Choices that Locust's form lists, and of which the command line may take others."""

    def __contains__(self, _given: object) -> bool:
        return True


def add_options(parser: Any) -> None:
    """Add our options to Locust's parser. (Locust's form shows no option that is in a group.)"""
    parser.add_argument(
        "--scenario",
        default="",
        choices=_Suggestions(scenario_files()),
        metavar="FILE",
        help="scenario file (YAML)",
        env_var="TIDEGATE_SCENARIO",
    )
    parser.add_argument("--model", default="", help="model name (default: the first that the target lists)")
    add_runs_dir(parser)


def add_runs_dir(parser: Any, **_: Any) -> None:
    """Add the option that says where runs go, once."""
    if "--runs-dir" in parser._option_string_actions:
        return
    parser.add_argument(
        "--runs-dir", default="runs", include_in_web_ui=False, help="where each test gets its folder"
    )


def scenario_files() -> list[str]:
    """Return the scenario files of the folder ``scenarios``, and an empty choice first."""
    return ["", *(str(file) for file in sorted(SCENARIOS_DIR.glob("*.yaml")))]


def chosen_scenario(environment: Any) -> Scenario:
    """Return the scenario that the options name, with their target. Raise UsageError for a mistake."""
    options = environment.parsed_options
    if not options.scenario:
        raise UsageError("no scenario: give --scenario FILE, or choose one on the page")
    scenario = aim(load_scenario(Path(options.scenario)), environment.host, options.model)
    if scenario.target.url is None:
        raise UsageError("the target needs a URL: --host, or target.url in the scenario")
    return scenario
