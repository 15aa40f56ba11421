"""The command line: the verbs, and the exit codes that CI acts on.

0 PASS · 1 FAIL · 2 usage or scenario error · 3 INCONCLUSIVE · 4 INVALID · 5 ABORTED
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from dashboards.commands import app as dashboards_app
from harness import demo as reference
from harness.doctor import examine
from harness.errors import TidegateError, UsageError
from harness.memory.address import teller_for
from harness.memory.commands import Address, register
from harness.preflight.judge import refusals
from harness.preflight.preflight import Preflight, preflight
from harness.traced import collector_for
from stack.commands import app as stack_app
from stack.endpoints import Endpoints, read_endpoints
from stack.errors import StackError
from stack.watch import free_metrics_port, watch_for

if TYPE_CHECKING:
    from harness.run import RunOptions

app = typer.Typer(
    name="tidegate",
    help="Load tests for LLM inference services that end in a verdict you can trust.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(dashboards_app)
app.add_typer(stack_app)
_out = Console()
_err = Console(stderr=True)

Scenarios = Annotated[list[Path], typer.Argument(help="Scenario files, or folders of them.")]
RunsDir = Annotated[Path, typer.Option(help="Where the runs' folders go.")]
TraceFile = Annotated[Path | None, typer.Option("--trace", help="Trace file (instead of the scenario's).")]
Otlp = Annotated[
    str | None,
    typer.Option(
        metavar="URL|off",
        envvar="OTEL_EXPORTER_OTLP_ENDPOINT",
        help="OTLP/HTTP endpoint of the client spans.",
        show_default="the stack that runs here",
    ),
]
RunFolder = Annotated[Path, typer.Argument(help="The folder of a run.")]


def main() -> None:
    """Run a verb; a condition that we know ends with a sentence and its exit code, never with a traceback."""
    try:
        app()
    except (TidegateError, StackError) as error:
        _err.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)


@app.command()
def run(
    scenarios: Annotated[
        list[Path] | None, typer.Argument(help="Scenario files, or folders of them (none with --worker).")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Base URL of the target (instead of the scenario's).")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model name that requests carry.")] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="N|auto",
            help="Load processes on this machine; auto: as many as the scenario takes.",
            show_default="auto; 0 with --master",
        ),
    ] = None,
    master: Annotated[
        bool, typer.Option("--master", help="Wait for workers on other machines, and judge.")
    ] = False,
    bind: Annotated[str, typer.Option(help="HOST:PORT where workers join the master.")] = "0.0.0.0:5557",
    expect_workers: Annotated[int, typer.Option(min=1, help="How many workers join the master.")] = 1,
    worker: Annotated[bool, typer.Option("--worker", help="Send load for a master elsewhere.")] = False,
    master_host: Annotated[str, typer.Option(help="Where the worker finds its master.")] = "127.0.0.1",
    master_port: Annotated[int, typer.Option(help="The master's port.")] = 5557,
    scratch: Annotated[
        Path | None, typer.Option(help="Folder for a worker's records until the master has them.")
    ] = None,
    trace: TraceFile = None,
    runs_dir: RunsDir = Path("runs"),
    record_gaps: Annotated[bool, typer.Option(help="Keep every gap between tokens in the records.")] = False,
    metrics_port: Annotated[
        int | None, typer.Option(help="Worker k serves /metrics at this port + k.")
    ] = None,
    elasticsearch: Address = None,
    otlp: Otlp = None,
) -> None:
    """Run scenarios against a target and judge them. Several, or a folder, are a suite."""
    from harness.load.session import Crew
    from harness.load.worker import serve_with_processes
    from harness.run import RunOptions
    from harness.suite import SuiteRequest, run_suite

    if worker:
        if master or scenarios:
            raise UsageError("--worker gets its load from the master: give neither --master nor a scenario")
        with _interrupt_is_aborted():
            serve_with_processes(master_host, master_port, _count(workers, 1) or 1, scratch)
        return
    if not scenarios:
        raise UsageError("give a scenario file, or a folder of them")
    local = _count(workers, 0 if master else None)
    crew = Crew(local or 0, expect_workers, _address(bind)) if master else Crew(local or 0)
    options = RunOptions(runs_dir, crew, record_gaps, metrics_port, local is None)
    options = _observed(options, elasticsearch, otlp)
    request = SuiteRequest(_scenario_files(scenarios), options, target, model, trace)
    with _interrupt_is_aborted():
        code = run_suite(request, _out)
    raise typer.Exit(code)


def _running_elasticsearch() -> str | None:
    """Return where the stack of this folder has its Elasticsearch; None where none was started."""
    endpoints = read_endpoints()
    return None if endpoints is None else endpoints.elasticsearch


def _observed(options: RunOptions, elasticsearch: str | None, otlp: str | None) -> RunOptions:
    """Have the stack of this folder, or what the addresses name, watch the run, store it and its traces."""
    running = read_endpoints() or Endpoints()
    teller = teller_for(elasticsearch, running.elasticsearch, _err.print)
    options = replace(options, teller=teller, spans_to=collector_for(otlp, running.otlp_http, _err.print))
    watch = watch_for()
    if watch is None:
        return options
    return replace(options, watch=watch, metrics_port=options.metrics_port or free_metrics_port())


register(app, _running_elasticsearch, _out)


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
def demo(runs_dir: RunsDir = Path("runs"), elasticsearch: Address = None, otlp: Otlp = None) -> None:
    """Run a flash sale against the reference target with a real model, on this machine."""
    from harness.run import RunOptions
    from harness.suite import SuiteRequest, run_suite

    if not reference.SCENARIO.exists():
        raise UsageError("the demo runs from a checkout of tidegate: its scenarios/ folder is not here")
    runs_dir.mkdir(parents=True, exist_ok=True)
    _out.print("starting the reference target (SmolLM2-135M; the first start fetches it)", highlight=False)
    options = _observed(RunOptions(runs_dir), elasticsearch, otlp)
    store = None if options.teller is None else elasticsearch or _running_elasticsearch()
    target = reference.reference_target(runs_dir / "target.log.jsonl", store, options.spans_to)
    with _interrupt_is_aborted(), target as url:
        code = run_suite(SuiteRequest((reference.SCENARIO,), options, url), _out)
    raise typer.Exit(code)


@app.command()
def calibrate(
    quick: Annotated[bool, typer.Option("--quick", help="Within 20 s, from one pass.")] = False,
) -> None:
    """Measure what the harness itself adds on this machine; every report shows it from then on."""
    from harness.calibrate.calibrate import calibrate as measure_floor
    from harness.report.calibration import print_floor
    from harness.telemetry.floor_store import write_floor

    floor = measure_floor(quick, lambda text: _err.print(text) if text else None)
    print_floor(_out, floor)
    _out.print(f"kept in {write_floor(floor)}")


@app.command()
def doctor(
    scenario: Annotated[Path | None, typer.Argument(help="A scenario that it should carry.")] = None,
    target: Annotated[
        str | None, typer.Option(help="Base URL of the target (instead of the scenario's).")
    ] = None,
    workers: Annotated[str | None, typer.Option(metavar="N|auto", help="Load processes here.")] = None,
    trace: TraceFile = None,
) -> None:
    """Tell what this machine can carry, and how to raise it; with a scenario, whether it can carry that."""
    from harness.report.doctor import print_findings, print_preflight

    if scenario is None:
        print_findings(_out, examine())
        return
    found = _preflight_of(scenario, target, _count(workers, None), trace)
    print_preflight(_out, found)
    if refusals(found.checks):
        raise typer.Exit(UsageError.exit_code)


def _preflight_of(file: Path, target: str | None, workers: int | None, trace: Path | None) -> Preflight:
    from harness.scenario.load import aim, load_scenario, needs_capacity, resolve

    scenario = aim(load_scenario(file, trace=trace), target)
    # Rates in x are known only after the probe; max_in_flight bounds the streams all the same.
    return preflight(resolve(scenario, 1.0 if needs_capacity(scenario) else None), workers)


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


def _count(text: str | None, default: int | None) -> int | None:
    """Read ``--workers``; None is ``auto``."""
    if text is None:
        return default
    if text != "auto" and not text.isdecimal():
        raise UsageError(f"--workers: given {text!r}; allowed: a whole number, or auto")
    return None if text == "auto" else int(text)


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdigit():
        raise UsageError(f"--bind: given {text!r}; allowed: HOST:PORT, such as 0.0.0.0:5557")
    return host, int(port)
