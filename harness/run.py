"""The composition root: one scenario against one target, from the checked file to the verdict."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.arrivals.build import build_plan
from harness.assess import Facts, conclude, store_facts
from harness.load.session import DriveResult, Progress, drive, measure_capacity
from harness.measure.summary import Capacity
from harness.report.run_folder import Report
from harness.scenario.load import dump, needs_capacity, resolve
from harness.scenario.model import Scenario
from harness.telemetry.environment import read_environment
from harness.telemetry.target import counted_between, read_counters, with_model
from harness.workload import build_workload


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line adds to a scenario. ``metrics_port``: worker k serves its page at port + k."""

    runs_dir: Path
    workers: int = 1
    remote_workers: int = 0
    bind: tuple[str, int] | None = None
    record_gaps: bool = False
    metrics_port: int | None = None


def run_scenario(
    scenario: Scenario,
    options: RunOptions,
    note: Callable[[str], None],
    watch: Callable[[Progress], None],
) -> tuple[Path, Report]:
    """Run ``scenario`` (its target's URL is set) and return its folder and its report.

    ``note`` takes a sentence for people, ``watch`` the progress, four times a second. Raise
    TargetUnreachableError before anything is written when the target does not answer.
    """
    scenario = scenario.model_copy(update={"target": with_model(scenario.target)})
    capacity = _probe(scenario, note) if needs_capacity(scenario) else None
    scenario = resolve(scenario, capacity.requests_per_second if capacity else None)
    run_id, run_dir = _new_run(scenario, options)
    (run_dir / "scenario.yaml").write_text(dump(scenario))

    before = read_counters(scenario.target)
    driven = drive(
        scenario,
        run_id,
        run_dir,
        options.workers,
        watch,
        record_gaps=options.record_gaps,
        bind=options.bind,
        remote_workers=options.remote_workers,
        metrics_port=options.metrics_port,
    )
    server = counted_between(before, read_counters(scenario.target))

    planned = len(build_plan(scenario))
    facts = Facts(run_id, planned, driven.workers_lost, _why_aborted(driven), capacity, server)
    basis = build_workload(scenario).prompt_length_basis
    store_facts(run_dir, facts, read_environment() | {"prompt_lengths": basis})
    return run_dir, conclude(run_dir)


def _probe(scenario: Scenario, note: Callable[[str], None]) -> Capacity:
    probe = scenario.capacity
    note(f"finding the target's capacity: {probe.concurrency} users at once for {probe.duration:g} s")
    found = measure_capacity(scenario)
    note(f"capacity (1x): {found.requests_per_second:.2f} requests/s over {found.requests} requests")
    return found


def _new_run(scenario: Scenario, options: RunOptions) -> tuple[str, Path]:
    started = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    run_id = f"{scenario.name}-{started}-{secrets.token_hex(2)}"
    run_dir = options.runs_dir / run_id
    run_dir.mkdir(parents=True)
    return run_id, run_dir


def _why_aborted(driven: DriveResult) -> str | None:
    return "the run was stopped before its end" if driven.aborted else None
