"""Drive a scenario: Locust's master in this process, worker processes for the load, the result in files."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.load.conductor import Conductor, DriveResult, Order
from harness.load.fleet import Fleet
from harness.load.probe import measure_capacity
from harness.load.progress import Progress
from harness.load.unpatched import Environment, be_patient
from harness.scenario.model import Scenario

__all__ = ["Crew", "DriveResult", "Progress", "drive", "measure_capacity"]


@dataclass(frozen=True, slots=True)
class Crew:
    """Who drives: ``local`` processes started here, and ``joining`` workers that connect to ``bind``.

    ``more``: another run follows, so those that joined should come again.
    """

    local: int = 1
    joining: int = 0
    bind: tuple[str, int] = ("127.0.0.1", 0)
    more: bool = False


def drive(
    scenario: Scenario,
    run_id: str,
    run_dir: Path,
    crew: Crew,
    on_progress: Callable[[Progress], None],
    *,
    record_gaps: bool = False,
    stop: Callable[[], bool] = lambda: False,
    metrics_port: int | None = None,
) -> DriveResult:
    """Send the scenario's load, whose rates are absolute, with this crew.

    Leaves ``records-<k>.parquet`` and ``worker-<k>.json`` in ``run_dir``. Ctrl-C, or ``stop()`` turning true,
    ends the run in order: everything planned is recorded. Worker k serves its metrics page at
    ``metrics_port + k``. Raises UsageError or TidegateError when the load could not begin.
    """
    if crew.local + crew.joining < 1:
        raise UsageError("a run needs at least one worker")
    order = Order(scenario, run_id, run_dir, on_progress, record_gaps, metrics_port, crew.more)
    with _interrupted() as interrupted, _opened(crew, run_dir) as conductor:
        return conductor.conduct(order, lambda: interrupted() or stop())


@contextmanager
def _opened(crew: Crew, run_dir: Path) -> Iterator[Conductor]:
    """Open the master and start the crew; close both in any case."""
    be_patient()
    runner: Any = Environment(user_classes=[]).create_master_runner(*crew.bind)
    fleet = Fleet()
    try:
        conductor = Conductor(runner)
        fleet = Fleet.start(crew.local, crew.joining, runner.server.port, run_dir)
        conductor.expect(fleet)
        yield conductor
    finally:
        runner.quit()
        context = runner.server.socket.context
        runner.server.close(linger=0)
        context.term()
        fleet.end()


@contextmanager
def _interrupted() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C into an orderly stop; a second Ctrl-C interrupts as usual."""
    seen: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, before)
