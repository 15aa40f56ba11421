"""The harness's own log of a run while it goes on: ``generator.log.jsonl``, and the store when there is one.

A few lines of the master's: the start, each stage, whatever the harness warns of, the end. The lines of
single requests come afterwards (``client_log``), for only then it is known which were slow.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from harness.scenario.model import Scenario
from observability.ecs import EcsFormatter

FILE_NAME = "generator.log.jsonl"
SERVICE_NAME = "tidegate"
_LOGGERS = ("tidegate.generator", "harness")
_log = logging.getLogger(_LOGGERS[0])


class RunFormatter(EcsFormatter):
    """Adds the run to each line, also to those whose writers know of none."""

    def __init__(self, run_id: str) -> None:
        super().__init__(SERVICE_NAME)
        self._run_id = run_id

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        record.ecs = {"labels.run_id": self._run_id, **getattr(record, "ecs", {})}
        return super().format(record)


@contextmanager
def logged_run(run_dir: Path, run_id: str, handlers: tuple[logging.Handler, ...] = ()) -> Iterator[None]:
    """Within the block, write the harness's log into the run's folder and to the handlers."""
    file = logging.FileHandler(run_dir / FILE_NAME, encoding="utf-8")
    file.setFormatter(RunFormatter(run_id))
    _log.setLevel(logging.INFO)
    _log.propagate = False  # the terminal shows the run already
    for name, handler in product(_LOGGERS, (file, *handlers)):
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name, handler in product(_LOGGERS, (file, *handlers)):
            logging.getLogger(name).removeHandler(handler)
        file.close()


class StageLog:
    """Logs the start of the run and of each stage, from the seconds that a run's progress tells."""

    def __init__(self, scenario: Scenario) -> None:
        names = [stage.name for stage in scenario.stages]
        self._coming = list(zip(scenario.stage_starts_seconds(), names, strict=True))
        _log.info(
            "run started", extra={"ecs": {"labels.scenario": scenario.name, "event.action": "run-start"}}
        )

    def at(self, elapsed_seconds: float) -> None:
        """Log the stages that have begun since the last call."""
        while self._coming and self._coming[0][0] <= elapsed_seconds:
            _, name = self._coming.pop(0)
            _log.info("stage %s begins", name, extra={"ecs": {"labels.stage": name, "event.action": "stage"}})


def log_end(problems: tuple[str, ...]) -> None:
    """Log the end of the load, and what was wrong with its files."""
    for problem in problems:
        _log.warning("%s", problem)
    _log.info("load ended", extra={"ecs": {"event.action": "run-end"}})
