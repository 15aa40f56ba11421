"""Drive a scenario: Locust's master in this process, worker processes for the load, the result in files."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent

from harness.errors import TargetUnreachableError, TidegateError, UsageError
from harness.load.fleet import Fleet, Member
from harness.load.probe import measure_capacity
from harness.load.progress import Progress, ProgressBoard
from harness.load.unpatched import Environment, be_patient, runners
from harness.scenario.load import dump
from harness.scenario.model import Scenario

__all__ = ["DriveResult", "Progress", "drive", "measure_capacity"]

JOIN_SECONDS = 60.0
PREPARE_SECONDS = 300.0
LEAD_SECONDS = 0.5
STOP_SECONDS = 30.0
"""How long the workers may take to write what they have, once stopped or past the drain."""
_POLL_SECONDS = 0.05
_PROGRESS_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class DriveResult:
    """``aborted``: stopped before its end. ``workers_lost``: died, and their records are missing."""

    aborted: bool
    workers_lost: int


def drive(
    scenario: Scenario,
    run_id: str,
    run_dir: Path,
    workers: int,
    on_progress: Callable[[Progress], None],
    *,
    record_gaps: bool = False,
    bind: tuple[str, int] | None = None,
    remote_workers: int = 0,
    stop: Callable[[], bool] | None = None,
    metrics_port: int | None = None,
) -> DriveResult:
    """Send the scenario's load with ``workers`` processes here and ``remote_workers`` that join at ``bind``.

    Every rate of ``scenario`` is absolute. Leaves ``records-<k>.parquet`` and ``worker-<k>.json`` in
    ``run_dir``. Ctrl-C, or ``stop()`` turning true, ends the run in order: everything planned is recorded.
    Worker k serves its metrics page at ``metrics_port + k``. Raises UsageError or TidegateError when the load
    could not begin.
    """
    if workers + remote_workers < 1:
        raise UsageError("a run needs at least one worker")
    options = {"run_id": run_id, "record_gaps": record_gaps, "workers": workers + remote_workers}
    session = _Session(scenario, run_dir, options, on_progress, metrics_port)
    with _interrupts(session), session.opened(bind or ("127.0.0.1", 0), workers, remote_workers):
        return session.run(stop or (lambda: False))


class _Session:
    """The master's side of the conversation with its workers."""

    def __init__(
        self,
        scenario: Scenario,
        run_dir: Path,
        options: dict[str, Any],
        on_progress: Callable[[Progress], None],
        metrics_port: int | None,
    ) -> None:
        self._scenario = scenario
        self._run_dir = run_dir
        self._options = options
        self._on_progress = on_progress
        self._metrics_port = metrics_port
        self._board = ProgressBoard(scenario)
        self._fleet = Fleet()
        self._runner: Any = None
        self._error: TidegateError | None = None
        self.interrupted = False

    @contextmanager
    def opened(self, bind: tuple[str, int], workers: int, remote_workers: int) -> Iterator[None]:
        """Open the master and its workers; close both in any case."""
        be_patient()
        self._runner = Environment(user_classes=[]).create_master_runner(*bind)
        for name, handler in self._handlers().items():
            self._runner.register_message(f"tidegate.{name}", handler)
        self._fleet = Fleet.start(workers, remote_workers, self._runner.server.port, self._run_dir)
        try:
            yield
        finally:
            self._runner.quit()
            context = self._runner.server.socket.context
            self._runner.server.close(linger=0)
            context.term()
            self._fleet.end()

    def run(self, stop: Callable[[], bool]) -> DriveResult:
        """Take the workers through join, prepare and load."""
        self._await(lambda: all(m.client_id for m in self._fleet.members), JOIN_SECONDS, "to join")
        for member in self._fleet.members:
            self._say("prepare", member, **self._assignment(member))
        self._await(
            lambda: all(m.planned is not None for m in self._fleet.members), PREPARE_SECONDS, "to prepare"
        )
        start_wall_ns = time.time_ns() + int(LEAD_SECONDS * 1e9)
        for member in self._fleet.members:
            self._say("go", member, start_wall_ns=start_wall_ns)
        aborted = self._watch(start_wall_ns, stop)
        return DriveResult(aborted, len(self._fleet.lost))

    def _assignment(self, member: Member) -> dict[str, Any]:
        port = self._metrics_port
        return {
            **self._options,
            "scenario": dump(self._scenario),
            "worker": member.index,
            "run_dir": str(self._run_dir.resolve()) if member.process is not None else None,
            "metrics_port": None if port is None else port + member.index,
        }

    def _watch(self, start_wall_ns: int, stop: Callable[[], bool]) -> bool:
        """Show progress until every worker is done or lost; True if the run was stopped before its end."""
        end_by: float | None = None
        began = time.monotonic()
        expected_seconds = LEAD_SECONDS + self._scenario.duration_seconds + self._scenario.drain
        while self._fleet.active and (end_by is None or time.monotonic() < end_by):
            gevent.sleep(_PROGRESS_SECONDS)
            self._fleet.notice_dead(self._missing())
            if end_by is None and (self.interrupted or stop()):
                end_by = time.monotonic() + STOP_SECONDS
                self._stop_workers()
            self._show((time.time_ns() - start_wall_ns) / 1e9)
            if end_by is None and time.monotonic() - began > expected_seconds + STOP_SECONDS:
                break
        for member in self._fleet.active:
            member.lost = True
        return end_by is not None

    def _stop_workers(self) -> None:
        for member in self._fleet.active:
            self._say("stop", member)

    def _show(self, elapsed_seconds: float) -> None:
        alive = sum(not member.lost for member in self._fleet.members)
        self._on_progress(self._board.read(elapsed_seconds, time.monotonic(), alive))

    def _await(self, ready: Callable[[], bool], seconds: float, what: str) -> None:
        end_by = time.monotonic() + seconds
        while not ready():
            gevent.sleep(_POLL_SECONDS)
            self._fleet.notice_dead(self._missing())
            if self._error is not None:
                raise self._error
            if self._fleet.lost:
                raise TidegateError(f"a worker ended before the load began\n{self._fleet.last_words()}")
            if self.interrupted:
                raise TidegateError("stopped before the load began")
            if time.monotonic() > end_by:
                raise TidegateError(f"waited {seconds:g} s for the workers {what}")

    def _missing(self) -> list[str]:
        clients = self._runner.clients
        known = [m.client_id for m in self._fleet.members if m.client_id is not None]
        return [i for i in known if i not in clients or clients[i].state == runners.STATE_MISSING]

    def _say(self, name: str, member: Member, **data: Any) -> None:
        self._runner.send_message(f"tidegate.{name}", data, member.client_id)

    def _handlers(self) -> dict[str, Callable[..., None]]:
        return {
            "hello": self._on_hello,
            "prepared": self._on_prepared,
            "failed": self._on_failed,
            "progress": self._on_counts,
            "file": self._on_file,
            "done": self._on_done,
        }

    def _on_hello(self, msg: Any, **_: Any) -> None:
        self._fleet.greet(msg.data["index"], msg.node_id)

    def _on_prepared(self, msg: Any, **_: Any) -> None:
        self._fleet.members[msg.data["worker"]].planned = msg.data["planned"]

    def _on_failed(self, msg: Any, **_: Any) -> None:
        text = msg.data["error"]
        usage = msg.data["exit_code"] == UsageError.exit_code
        self._error = self._error or (UsageError(text) if usage else TargetUnreachableError(text))

    def _on_counts(self, msg: Any, **_: Any) -> None:
        self._board.take(msg.data, time.monotonic())

    def _on_file(self, msg: Any, **_: Any) -> None:
        with (self._run_dir / Path(msg.data["name"]).name).open("ab") as file:
            file.write(msg.data["data"])

    def _on_done(self, msg: Any, **_: Any) -> None:
        self._fleet.members[msg.data["worker"]].done = True


@contextmanager
def _interrupts(session: _Session) -> Iterator[None]:
    """Turn Ctrl-C into an orderly stop; a second Ctrl-C interrupts as usual."""

    def interrupt(_number: int, _frame: object) -> None:
        if session.interrupted:
            raise KeyboardInterrupt
        session.interrupted = True

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
