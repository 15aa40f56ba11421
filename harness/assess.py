"""From a run's folder to its verdict: steps 8, 10 and 11, without the network, as often as one likes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.arrivals import build_plan
from harness.errors import UsageError
from harness.measure.open_streams import read_machine_report
from harness.measure.reconcile import ServerCounts
from harness.measure.records import Records, read_records
from harness.measure.summarize import summarize
from harness.measure.summary import Capacity
from harness.measure.worker_report import read_worker_reports
from harness.report.files import write_reports
from harness.report.run_folder import Report, read_run
from harness.scenario.checks import unknown_stages
from harness.scenario.load import load_scenario, resolve
from harness.scenario.model import Scenario
from harness.scenario.objective import objectives
from harness.telemetry.client_log import LoggedRun, write_client_log
from harness.telemetry.completeness import read_shipping
from harness.telemetry.telemetry_file import read_telemetry, update_telemetry
from harness.verdict.judge import judge

_FACTS = "run.json"
_ENVIRONMENT = "environment.json"
_SCENARIO = "scenario.yaml"


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened around the load and stands in no record.

    ``planned``: the plan's length. ``aborted``: why the run was stopped, or None. ``capacity``: what the
    probe found, or None. ``server``: the target's own counts over the run, or None where it tells none.
    ``problems``: what of the workers' files is missing or not sound.
    """

    run_id: str
    planned: int
    workers_lost: int = 0
    aborted: str | None = None
    capacity: Capacity | None = None
    server: ServerCounts | None = None
    problems: tuple[str, ...] = ()


def store_facts(run_dir: Path, facts: Facts, environment: Mapping[str, Any]) -> None:
    """Write ``run.json`` and ``environment.json``."""
    _write_json(run_dir / _FACTS, asdict(facts))
    _write_json(run_dir / _ENVIRONMENT, environment)


def assess(run_dir: Path, slo_files: tuple[Path, ...] = ()) -> tuple[Report, Records]:
    """Measure and judge the run in ``run_dir`` by its own objectives, or by those of the SLO files.

    Write nothing. Raise UsageError where the folder holds no run, and for a mistake in an SLO file.
    """
    stored = _read_scenario(run_dir)
    facts = _read_facts(run_dir, stored)
    scenario = _judged_by(slo_files, stored, facts)
    environment = _read_json(run_dir / _ENVIRONMENT) or {}
    wanted = objectives(scenario)
    records = read_records(run_dir)
    summary = summarize(
        scenario,
        records,
        read_worker_reports(run_dir),
        wanted,
        environment,
        facts.server,
        run_id=facts.run_id,
        planned=facts.planned,
        workers_lost=facts.workers_lost,
        capacity=facts.capacity,
        aborted=facts.aborted is not None,
        problems=facts.problems,
        machine=read_machine_report(run_dir),
    )
    verdict = judge(summary, records, wanted, scenario, facts.aborted, _missing_telemetry(run_dir))
    return Report(facts.run_id, scenario, summary, verdict, environment), records


def conclude(run_dir: Path) -> Report:
    """Assess the run, and write every file that tells of it."""
    report, records = assess(run_dir)
    (run_dir / "summary.json").write_text(report.summary.to_json())
    (run_dir / "verdict.json").write_text(report.verdict.to_json())
    kind = report.verdict.kind.value
    logged = LoggedRun(report.run_id, report.scenario, _started_wall_ns(run_dir), kind)
    lines = write_client_log(run_dir / "client.log.jsonl", logged, records)
    update_telemetry(run_dir, client_log_lines=lines, records=len(records))
    return write_pages(run_dir)


def write_pages(run_dir: Path) -> Report:
    """Write the reports of a run that is judged, and return it."""
    complete = read_run(run_dir)
    write_reports(run_dir, complete)
    return complete


def read_identity(run_dir: Path) -> tuple[str, Scenario, int]:
    """Return the run's id, its scenario, and its zero on the wall clock (ns; 0: no worker told it)."""
    scenario = _read_scenario(run_dir)
    return _read_facts(run_dir, scenario).run_id, scenario, _started_wall_ns(run_dir)


def _started_wall_ns(run_dir: Path) -> int:
    return min((worker.start_wall_ns for worker in read_worker_reports(run_dir)), default=0)


def _missing_telemetry(run_dir: Path) -> tuple[str, ...]:
    shipping = read_shipping(run_dir)
    stored = () if shipping is None else tuple(shipping.problems())
    spans = read_telemetry(run_dir).get("client_spans", {"lost": 0})
    if not spans["lost"]:
        return stored
    return (*stored, f"client spans: {spans['lost']} of {spans['made']} were lost")


def _judged_by(slo_files: tuple[Path, ...], scenario: Scenario, facts: Facts) -> Scenario:
    if not slo_files:
        return scenario
    capacity = facts.capacity.requests_per_second if facts.capacity else None
    other = scenario.model_copy(update={"slos": (), "slo_files": slo_files})
    try:
        judged = resolve(other, capacity)
    except ValueError as error:
        raise UsageError(f"the SLO files cannot judge this run: {error}") from None
    names = [stage.name for stage in scenario.stages]
    for slo in judged.slos:
        for problem in unknown_stages(slo.stages, names, ("gate", "stages")):
            raise UsageError(f"{slo.source}: {problem}")
    return judged


def _read_scenario(run_dir: Path) -> Scenario:
    if not (run_dir / _SCENARIO).is_file():
        raise UsageError(f"{run_dir}: no run is stored here (it has no {_SCENARIO})")
    return load_scenario(run_dir / _SCENARIO, check_files=False)


def _read_facts(run_dir: Path, scenario: Scenario) -> Facts:
    """Read ``run.json``; a run that plain Locust drove has none, and its plan's length is computed again."""
    stored = _read_json(run_dir / _FACTS)
    if stored is None:
        return Facts(run_dir.resolve().name, planned=len(build_plan(scenario)))
    for key, kind in (("server", ServerCounts), ("capacity", Capacity)):
        if stored[key] is not None:
            stored[key] = kind(**stored[key])
    stored["problems"] = tuple(stored.get("problems", ()))
    return Facts(**stored)


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}: not JSON: {error}") from None


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n")
