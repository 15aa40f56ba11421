"""The harness's log of a run: ECS lines for each request worth a look, and for the verdict.

Which these are, `worth_telling` decides; the same have a span.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.measure.record import OUTCOMES
from harness.measure.records import Records
from harness.scenario.model import Scenario
from harness.telemetry.worth_telling import worth_telling
from observability.ecs import configure_ecs_logging, ecs_timestamp


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """What the lines need beside the records. ``start_wall_ns``: the run's zero on the wall clock."""

    run_id: str
    scenario: Scenario
    start_wall_ns: int
    verdict: str


def write_client_log(file: Path, run: LoggedRun, records: Records) -> int:
    """Write the log of a finished run (again, if it was written) and return its number of lines."""
    file.unlink(missing_ok=True)
    logger = configure_ecs_logging(f"tidegate.client.{run.run_id}", "tidegate", file)
    lines = 0
    for row in worth_telling(records, run.scenario.trace_sample_share):
        _log_request(logger, run, records, int(row))
        lines += 1
    logger.info("run judged", extra={"ecs": {"labels.run_id": run.run_id, "event.outcome": run.verdict}})
    for handler in logger.handlers:
        handler.close()
    return lines + 1


def _log_request(logger: logging.Logger, run: LoggedRun, records: Records, row: int) -> None:
    ok = bool(records.ok[row])
    outcome = OUTCOMES[records.outcome[row]].value
    ended_wall_seconds = (run.start_wall_ns + int(records.end_ns[row])) / 1e9
    facts: dict[str, Any] = {
        "@timestamp": ecs_timestamp(ended_wall_seconds),  # when it ended, not when this line is written
        "trace.id": str(records.trace_id[row]),
        "labels.run_id": run.run_id,
        "labels.stage": run.scenario.stages[int(records.stage[row])].name,
        "event.outcome": "success" if ok else "failure",
        "event.duration": int(records.end_ns[row] - records.intended_ns[row]),
        "tidegate.outcome": outcome,
        "tidegate.seq": int(records.seq[row]),
        "tidegate.output_tokens": int(records.output_tokens[row]),
    }
    if records.http_status[row] >= 0:
        facts["http.response.status_code"] = int(records.http_status[row])
    level = logging.INFO if ok else logging.WARNING
    logger.log(level, "request %s", outcome, extra={"ecs": facts})
