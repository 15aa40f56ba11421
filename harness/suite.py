"""Several scenarios in order, as one command: every mistake first, then the load, then the worst verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from harness.errors import UsageError
from harness.report.live import LiveView
from harness.report.run_folder import Report
from harness.report.suite import write_suite
from harness.report.terminal import print_verdict
from harness.run import RunOptions, run_scenario
from harness.scenario.load import aim, load_scenario
from harness.scenario.model import Scenario
from harness.verdict.model import VerdictKind


@dataclass(frozen=True, slots=True)
class SuiteRequest:
    """What the command line asked for; ``target``, ``model`` and ``trace`` stand above the scenarios' own."""

    files: tuple[Path, ...]
    options: RunOptions
    target: str | None = None
    model: str | None = None
    trace: Path | None = None


def run_suite(request: SuiteRequest, out: Console) -> int:
    """Run the scenarios in order and return the exit code of the worst verdict.

    A run that was stopped ends the suite. Raise UsageError with every mistake of every file before any load.
    """
    scenarios = load_all(request)
    runs = list(_runs(scenarios, request.options, out))
    if len(scenarios) == 1:
        return runs[0][1].verdict.exit_code
    return _conclude_suite(request.options.runs_dir, runs, out).exit_code


def load_all(request: SuiteRequest) -> tuple[Scenario, ...]:
    """Load every file, with the command line's target, model and trace; collect all mistakes."""
    scenarios: list[Scenario] = []
    errors: list[UsageError] = []
    for file in request.files:
        try:
            scenarios.append(_with_target(load_scenario(file, trace=request.trace), file, request))
        except UsageError as error:
            errors.append(error)
    if errors:
        raise UsageError("\n".join(map(str, errors)))
    return tuple(scenarios)


def _with_target(scenario: Scenario, file: Path, request: SuiteRequest) -> Scenario:
    if scenario.loop == "closed":
        raise UsageError(f"{file}: loop: closed is what a locustfile's run leaves; there is no load to send")
    url = request.target or scenario.target.url
    if url is None:
        raise UsageError(f"{file}: no target: give --target URL, or target.url in the scenario")
    return aim(scenario, url, request.model)


def _runs(
    scenarios: tuple[Scenario, ...], options: RunOptions, out: Console
) -> Iterator[tuple[Path, Report]]:
    def note(sentence: str) -> None:
        out.print(sentence, highlight=False, style="dim")

    for number, scenario in enumerate(scenarios, 1):
        crew = replace(options.crew, more=number < len(scenarios))
        with LiveView(scenario) as view:
            run_dir, report = run_scenario(scenario, replace(options, crew=crew), note, view)
        print_verdict(report, out)
        out.print(f"report: {run_dir / 'report.html'}", highlight=False, soft_wrap=True)
        yield run_dir, report
        if report.verdict.kind is VerdictKind.ABORTED:
            return


def _conclude_suite(runs_dir: Path, runs: list[tuple[Path, Report]], out: Console) -> VerdictKind:
    name = f"suite-{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}"
    folder = runs_dir / name
    folder.mkdir(parents=True)
    kind = write_suite(folder, runs, name)
    out.print(f"suite: {kind.value}, {folder / 'suite.html'}", highlight=False, soft_wrap=True)
    return kind
