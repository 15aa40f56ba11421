"""The command line: the verbs, and the exit codes that CI acts on.

0 PASS · 1 FAIL · 2 usage or scenario error · 3 INCONCLUSIVE · 4 INVALID · 5 ABORTED
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness import demo as reference
from harness.doctor import examine
from harness.errors import TidegateError, UsageError

app = typer.Typer(
    name="tidegate",
    help="Load tests for LLM inference services that end in a verdict you can trust.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_out = Console()
_err = Console(stderr=True)

Scenarios = Annotated[list[Path], typer.Argument(help="Scenario files, or folders of them.")]
RunsDir = Annotated[Path, typer.Option(help="Where the runs' folders go.")]
TraceFile = Annotated[Path | None, typer.Option("--trace", help="Trace file (instead of the scenario's).")]
RunFolder = Annotated[Path, typer.Argument(help="The folder of a run.")]


def main() -> None:
    """Run a verb; a condition that we know ends with a sentence and its exit code, never with a traceback."""
    try:
        app()
    except TidegateError as error:
        _err.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)


@app.command()
def run(
    scenarios: Scenarios,
    target: Annotated[
        str | None, typer.Option(help="Base URL of the target (instead of the scenario's).")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model name that requests carry.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Load processes on this machine.")] = 1,
    remote_workers: Annotated[
        int, typer.Option(min=0, help="Load processes to wait for on other machines.")
    ] = 0,
    bind: Annotated[str, typer.Option(help="HOST:PORT where remote workers join.")] = "",
    trace: TraceFile = None,
    runs_dir: RunsDir = Path("runs"),
    record_gaps: Annotated[bool, typer.Option(help="Keep every gap between tokens in the records.")] = False,
    metrics_port: Annotated[
        int | None, typer.Option(help="Worker k serves /metrics at this port + k.")
    ] = None,
) -> None:
    """Run scenarios against a target and judge them. Several, or a folder, are a suite."""
    from harness.run import RunOptions
    from harness.suite import SuiteRequest, run_suite

    options = RunOptions(runs_dir, workers, remote_workers, _address(bind), record_gaps, metrics_port)
    request = SuiteRequest(_scenario_files(scenarios), options, target, model, trace)
    with _interrupt_is_aborted():
        code = run_suite(request, _out)
    raise typer.Exit(code)


@app.command()
def check(scenarios: Scenarios, trace: TraceFile = None) -> None:
    """Validate scenario files without sending anything."""
    from harness.scenario.load import load_scenario

    mistakes = 0
    for file in _scenario_files(scenarios):
        try:
            scenario = load_scenario(file, trace=trace)
        except UsageError as error:
            mistakes += 1
            _err.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        else:
            _out.print(
                f"{file}: {len(scenario.stages)} stages, {scenario.duration_seconds:g} s", highlight=False
            )
    if mistakes:
        raise typer.Exit(UsageError.exit_code)


@app.command()
def schema() -> None:
    """Print the JSON schema of scenario files, for editors."""
    from harness.scenario.load import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@app.command()
def report(run_dir: RunFolder) -> None:
    """Measure, judge and render a stored run again. Never touches the network."""
    from harness.assess import conclude
    from harness.report.terminal import print_verdict

    print_verdict(conclude(run_dir), _out)
    _out.print(f"report: {run_dir / 'report.html'}", highlight=False, soft_wrap=True)


@app.command()
def gate(
    run_dir: RunFolder,
    slo: Annotated[
        list[Path] | None, typer.Option(help="SLO files to judge by, instead of the run's.")
    ] = None,
) -> None:
    """Judge a stored run and exit with the verdict's code. Never touches the network, writes nothing."""
    from harness.assess import assess
    from harness.report.terminal import print_verdict

    judged, _ = assess(run_dir, tuple(slo or ()))
    print_verdict(judged, _out)
    raise typer.Exit(judged.verdict.exit_code)


@app.command()
def demo(runs_dir: RunsDir = Path("runs")) -> None:
    """Run a flash sale against the reference target with a real model, on this machine."""
    from harness.run import RunOptions
    from harness.suite import SuiteRequest, run_suite

    if not reference.SCENARIO.exists():
        raise UsageError("the demo runs from a checkout of tidegate: its scenarios/ folder is not here")
    runs_dir.mkdir(parents=True, exist_ok=True)
    _out.print("starting the reference target (SmolLM2-135M; the first start fetches it)", highlight=False)
    with _interrupt_is_aborted(), reference.reference_target(runs_dir / "target.log.jsonl") as url:
        code = run_suite(SuiteRequest((reference.SCENARIO,), RunOptions(runs_dir), url), _out)
    raise typer.Exit(code)


@app.command()
def doctor() -> None:
    """Tell what this machine can carry, and how to raise it."""
    from harness.report.doctor import print_findings

    print_findings(_out, examine())


@contextmanager
def _interrupt_is_aborted() -> Iterator[None]:
    """Answer a Ctrl-C outside of the load (in the probe, in the report) with ABORTED's exit code.

    Left alone, it would end with the code 1, which says FAIL.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise TidegateError("stopped: no load was being sent, so there is nothing to report") from None


def _scenario_files(paths: list[Path]) -> tuple[Path, ...]:
    """Expand folders; raise UsageError for a path that is not there and a folder without scenarios."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
            if not found:
                raise UsageError(f"{path}: this folder holds no scenario (*.yaml)")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder")
    return tuple(files)


def _address(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdigit():
        raise UsageError(f"--bind: given {text!r}; allowed: HOST:PORT, such as 0.0.0.0:5557")
    return host, int(port)
