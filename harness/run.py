"""The composition root: one scenario against one target, from the checked file to the verdict."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.arrivals.build import build_plan
from harness.assess import Facts, conclude, store_facts
from harness.load.machine_watch import watched_machine
from harness.load.session import Crew, DriveResult, Progress, drive, measure_capacity
from harness.load.target_model import with_model
from harness.measure.summary import Capacity
from harness.measure.worker_report import read_worker_reports
from harness.preflight.preflight import preflight, refuse_what_cannot_work
from harness.report.run_folder import Report
from harness.scenario.load import dump, needs_capacity, resolve
from harness.scenario.model import Scenario
from harness.telemetry.floor_store import environment_with_floor
from harness.telemetry.run_log import StageLog, log_end, logged_run
from harness.telemetry.target import counted_between, read_counters
from harness.traced import tell_spans
from harness.workload import build_workload

if TYPE_CHECKING:
    from harness.shipped import RunTeller

Drive = Callable[[Scenario, str, Path, Callable[[Progress], None]], DriveResult]
"""Sends a scenario's load under a run id, leaves its records in a folder, and tells its progress."""
Watch = Callable[[str, Sequence[str]], AbstractContextManager[None]]
"""Takes a run's id and the addresses (host:port) of its workers' metrics pages; watches within the block."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line adds to a scenario. ``metrics_port``: worker k serves its page at port + k.

    ``watch`` is told where these pages are, ``teller`` tells the run to a store, and ``spans_to`` is the OTLP
    endpoint of its client spans. ``auto_workers``: start as many workers as the scenario takes, whatever the
    crew says.
    """

    runs_dir: Path
    crew: Crew = field(default_factory=Crew)
    record_gaps: bool = False
    metrics_port: int | None = None
    auto_workers: bool = False
    watch: Watch = lambda _run_id, _addresses: nullcontext()
    teller: RunTeller | None = None
    spans_to: str | None = None


def run_scenario(
    scenario: Scenario,
    options: RunOptions,
    note: Callable[[str], None],
    watch: Callable[[Progress], None],
) -> tuple[Path, Report]:
    """Run ``scenario`` (its target's URL is set) and return its folder and its report.

    ``note`` takes a sentence for people, ``watch`` the progress, four times a second. Raise
    TargetUnreachableError before anything is written when the target does not answer, and UsageError when
    this machine cannot carry the scenario.
    """
    crew = options.crew

    def look_at_the_machine(scenario: Scenario) -> None:
        nonlocal crew
        if crew.joining:  # other machines have their own limits, which nobody here knows
            return
        found = preflight(scenario, None if options.auto_workers else crew.local)
        refuse_what_cannot_work(found)
        crew = replace(crew, local=found.workers)

    def drive_with_crew(
        scenario: Scenario, run_id: str, run_dir: Path, watch: Callable[[Progress], None]
    ) -> DriveResult:
        pages = _pages(options.metrics_port, crew)
        with _logged(options.teller, run_dir, run_id), options.watch(run_id, pages):
            stages = StageLog(scenario)

            def logged_watch(progress: Progress) -> None:
                stages.at(progress.elapsed_seconds)
                watch(progress)

            driven = drive(
                scenario,
                run_id,
                run_dir,
                crew,
                logged_watch,
                record_gaps=options.record_gaps,
                metrics_port=options.metrics_port,
            )
            log_end(driven.problems)
            return driven

    run_dir = run_load(scenario, options.runs_dir, note, watch, drive_with_crew, look_at_the_machine)
    if options.spans_to is not None:
        tell_spans(run_dir, options.spans_to)
    return run_dir, conclude(run_dir) if options.teller is None else options.teller.conclude(run_dir)


@contextmanager
def _logged(teller: RunTeller | None, run_dir: Path, run_id: str) -> Iterator[None]:
    """Write the harness's log into the run's folder, and to the store where there is one."""
    live = nullcontext(()) if teller is None else teller.live(run_dir, run_id)
    with live as handlers, logged_run(run_dir, run_id, handlers):
        yield


def _pages(metrics_port: int | None, crew: Crew) -> list[str]:
    """Return where the workers of this machine tell their metrics; those of others tell only their own."""
    if metrics_port is None:
        return []
    return [f"127.0.0.1:{metrics_port + worker}" for worker in range(crew.local)]


def run_load(
    scenario: Scenario,
    runs_dir: Path,
    note: Callable[[str], None],
    watch: Callable[[Progress], None],
    drive: Drive,
    check: Callable[[Scenario], None] = lambda _: None,
) -> Path:
    """Do all of a run but its conclusion, and return its folder, from which it can be concluded.

    ``check`` may refuse the scenario, whose rates are absolute then, before anything is written.
    """
    scenario = scenario.model_copy(update={"target": with_model(scenario.target)})
    capacity = _probe(scenario, note) if needs_capacity(scenario) else None
    scenario = resolve(scenario, capacity.requests_per_second if capacity else None)
    check(scenario)
    run_id, run_dir = _new_run(scenario, runs_dir)
    (run_dir / "scenario.yaml").write_text(dump(scenario))

    before = read_counters(scenario.target)
    with watched_machine(scenario.target, run_dir):
        driven = drive(scenario, run_id, run_dir, watch)
    server = counted_between(before, read_counters(scenario.target))

    planned = len(build_plan(scenario))
    basis = build_workload(scenario).prompt_length_basis
    _store(run_dir, Facts(run_id, planned, capacity=capacity, server=server), driven, prompt_lengths=basis)
    return run_dir


def run_users(scenario: Scenario, runs_dir: Path, watch: Callable[[Progress], None], drive: Drive) -> Path:
    """Let a locustfile's users ask until they are stopped, and return the folder of what they recorded.

    The one stage of ``scenario`` (its ``loop`` is closed) gets the length that the run turned out to have.
    """
    scenario = resolve(scenario, None)
    run_id, run_dir = _new_run(scenario, runs_dir)
    (run_dir / "scenario.yaml").write_text(dump(scenario))

    before = read_counters(scenario.target)
    driven = drive(scenario, run_id, run_dir, watch)
    server = counted_between(before, read_counters(scenario.target))

    reports = read_worker_reports(run_dir)
    seconds = max((report.elapsed_seconds for report in reports), default=1.0)
    stage = scenario.stages[0].model_copy(update={"duration": round(seconds, 3)})
    (run_dir / "scenario.yaml").write_text(dump(scenario.model_copy(update={"stages": (stage,)})))
    asked = sum(report.planned for report in reports)
    _store(run_dir, Facts(run_id, asked, server=server), driven)
    return run_dir


def _store(run_dir: Path, facts: Facts, driven: DriveResult, **environment: str) -> None:
    aborted = "the run was stopped before its end" if driven.aborted else None
    facts = replace(facts, workers_lost=driven.workers_lost, aborted=aborted, problems=driven.problems)
    store_facts(run_dir, facts, environment_with_floor() | environment)


def _probe(scenario: Scenario, note: Callable[[str], None]) -> Capacity:
    probe = scenario.capacity
    note(f"finding the target's capacity: {probe.concurrency} users at once for {probe.duration:g} s")
    found = measure_capacity(scenario)
    note(f"capacity (1x): {found.requests_per_second:.2f} requests/s over {found.requests} requests")
    return found


def _new_run(scenario: Scenario, runs_dir: Path) -> tuple[str, Path]:
    started = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    run_id = f"{scenario.name}-{started}-{secrets.token_hex(2)}"
    run_dir = runs_dir / run_id
    run_dir.mkdir(parents=True)
    return run_id, run_dir
