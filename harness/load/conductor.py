"""The master's side of a run, the same over every runner of Locust's: prepare, start, watch, collect."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
import msgspec

from harness.errors import TargetUnreachableError, TidegateError, UsageError
from harness.load.clock_sync import answer_clock
from harness.load.collector import Collector
from harness.load.fleet import Fleet, Member, Presence
from harness.load.messages import (
    Counts,
    Failed,
    Finished,
    Go,
    Hello,
    Piece,
    Prepare,
    Prepared,
    Release,
    Stop,
    register,
    send,
)
from harness.load.progress import Progress, ProgressBoard
from harness.scenario.load import dump
from harness.scenario.model import Scenario

JOIN_SECONDS = 60.0
PREPARE_SECONDS = 300.0
LEAD_SECONDS = 0.5
STOP_SECONDS = 60.0
"""How long the workers may take to write what they have, once stopped or past the drain."""
_POLL_SECONDS = 0.05
_PROGRESS_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run. Every rate of ``scenario`` is absolute; ``more``: another run follows this one."""

    scenario: Scenario
    run_id: str
    run_dir: Path
    on_progress: Callable[[Progress], None]
    record_gaps: bool = False
    metrics_port: int | None = None
    more: bool = False
    open_ended: bool = False
    """It ends when it is stopped, which is not an early end: users of a locustfile go on until then."""


@dataclass(frozen=True, slots=True)
class DriveResult:
    """``aborted``: stopped before its end. ``workers_lost``: died, and their records are missing.

    ``problems`` names each worker whose files are not all here, or not sound: any makes the run INVALID.
    """

    aborted: bool
    workers_lost: int
    problems: tuple[str, ...] = ()


class Conductor:
    """Leads one run after another over one runner. ``phase`` says what is being done now."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._presence = Presence(runner)
        self._fleet = Fleet()
        self._run: _Run | None = None
        self.phase = "idle"
        answer_clock(runner)
        register(runner, Hello, lambda hello, sender: self._fleet.greet(hello.index, sender))
        register(runner, Prepared, self._of_this_run(lambda run, message: run.on_prepared(message)))
        register(runner, Failed, self._of_this_run(lambda run, message: run.on_failed(message)))
        register(runner, Counts, self._of_this_run(lambda run, message: run.on_counts(message)))
        register(runner, Finished, self._of_this_run(lambda run, message: run.on_finished(message)))
        register(runner, Piece, self._of_this_run(lambda run, message: run.collector.on_piece(message)))

    def expect(self, fleet: Fleet) -> None:
        """Take the hellos of this fleet from now on."""
        self._fleet = fleet

    def conduct(self, order: Order, stop: Callable[[], bool]) -> DriveResult:
        """Take the fleet through join, prepare, load and collection. Raise where the load could not begin.

        ``stop()`` turning true ends the run in order: everything planned is recorded.
        """
        run = self._run = _Run(order, self._fleet, self._say)
        try:
            with _folder_token(order.run_dir, run.token):
                return self._conduct(run, stop)
        finally:
            self._run = None
            self.phase = "idle"
            run.close()

    def _conduct(self, run: _Run, stop: Callable[[], bool]) -> DriveResult:
        self.phase = "waiting for workers"
        self._await(run, stop, lambda m: m.client_id is not None, JOIN_SECONDS, "to join")
        self.phase = "preparing"
        run.prepare()
        self._await(run, stop, lambda m: m.planned is not None, PREPARE_SECONDS, "to prepare")
        self.phase = "running"
        run.go()
        aborted = self._watch(run, stop)
        return DriveResult(aborted, len(run.fleet.lost), tuple(run.problems()))

    def _watch(self, run: _Run, stop: Callable[[], bool]) -> bool:
        """Show progress until every worker is done or lost; True if the run was stopped before its end."""
        stopped = False
        end_by = time.monotonic() + run.expected_seconds + STOP_SECONDS
        while run.fleet.active:
            gevent.sleep(_PROGRESS_SECONDS)
            self._notice_dead(run)
            if not stopped and stop():
                stopped = True
                end_by = time.monotonic() + STOP_SECONDS
                run.stop()
            if time.monotonic() > end_by:
                run.lose_the_unfinished()
            if all(m.finished or m.lost for m in run.fleet.members):
                self.phase = "collecting records"
            run.show()
        run.show()
        return (stopped or stop()) and not run.order.open_ended

    def _await(
        self, run: _Run, stop: Callable[[], bool], ready: Callable[[Member], bool], seconds: float, what: str
    ) -> None:
        end_by = time.monotonic() + seconds
        while not all(map(ready, run.fleet.members)):
            gevent.sleep(_POLL_SECONDS)
            self._notice_dead(run)
            if run.error is not None:
                raise run.error
            if run.fleet.lost:
                raise TidegateError(f"a worker ended before the load began\n{run.fleet.last_words()}")
            if stop():
                raise TidegateError("stopped before the load began")
            if time.monotonic() > end_by:
                raise TidegateError(f"waited {seconds:g} s for the workers {what}")

    def _notice_dead(self, run: _Run) -> None:
        known = [m.client_id for m in run.fleet.members if m.client_id is not None]
        run.fleet.notice_dead(self._presence.missing(known))

    def _say(self, member: Member, message: msgspec.Struct) -> None:
        send(self._runner, message, member.client_id)

    def _of_this_run(self, take: Callable[[_Run, Any], None]) -> Callable[[Any, str], None]:
        """Drop what belongs to an earlier run."""

        def taken(message: Any, _sender: str) -> None:
            if self._run is not None and message.run_id == self._run.order.run_id:
                take(self._run, message)

        return taken


@dataclass(slots=True)
class _Run:
    """One run's state, and what is said to its workers."""

    order: Order
    fleet: Fleet
    say: Callable[[Member, msgspec.Struct], None]
    token: str = field(default_factory=lambda: f".shared-{secrets.token_hex(8)}")
    error: TidegateError | None = None
    board: ProgressBoard = field(init=False)
    collector: Collector = field(init=False)
    start_wall_ns: int = 0

    def __post_init__(self) -> None:
        self.board = ProgressBoard(self.order.scenario)
        self.collector = Collector(self.order.run_id, self.order.run_dir, self.say, self.order.more)

    @property
    def expected_seconds(self) -> float:
        """How long the load may take by its plan."""
        scenario = self.order.scenario
        if self.order.open_ended:
            return float("inf")
        return LEAD_SECONDS + scenario.duration_seconds + scenario.drain

    def prepare(self) -> None:
        order, workers = self.order, len(self.fleet.members)
        common = (dump(order.scenario), workers, str(order.run_dir.resolve()))
        for member in self.fleet.members:
            self.say(member, self._assignment(member, *common))

    def _assignment(self, member: Member, scenario: str, workers: int, run_dir: str) -> Prepare:
        port = self.order.metrics_port
        return Prepare(
            self.order.run_id,
            scenario,
            member.index,
            workers,
            run_dir,
            self.token,
            self.order.record_gaps,
            None if port is None else port + member.index,
        )

    def go(self) -> None:
        self.start_wall_ns = time.time_ns() + int(LEAD_SECONDS * 1e9)
        for member in self.fleet.members:
            self.say(member, Go(self.order.run_id, self.start_wall_ns))

    def stop(self) -> None:
        for member in self.fleet.active:
            self.say(member, Stop(self.order.run_id))

    def close(self) -> None:
        """Let go of workers that were never done with, and of what they still send."""
        self.collector.close()
        for member in self.fleet.members:
            if not member.done and member.client_id is not None:
                with suppress(Exception):  # it may be gone for good
                    self.say(member, Release(self.order.run_id, stored=False))

    def show(self) -> None:
        alive = sum(not member.lost for member in self.fleet.members)
        elapsed_seconds = (time.time_ns() - self.start_wall_ns) / 1e9
        self.order.on_progress(self.board.read(elapsed_seconds, time.monotonic(), alive))

    def lose_the_unfinished(self) -> None:
        for member in self.fleet.active:
            member.lost = not member.finished

    def problems(self) -> list[str]:
        """Return what is missing or not sound, worker by worker."""
        lost = [
            f"{m.name} was lost: its records-{m.index}.parquet and worker-{m.index}.json are missing"
            for m in self.fleet.lost
        ]
        return lost + self.collector.problems

    def on_prepared(self, message: Prepared) -> None:
        self.fleet.members[message.worker].planned = message.planned

    def on_failed(self, message: Failed) -> None:
        kind = UsageError if message.exit_code == UsageError.exit_code else TargetUnreachableError
        self.error = self.error or kind(message.error)

    def on_counts(self, message: Counts) -> None:
        self.board.take(message, time.monotonic())

    def on_finished(self, message: Finished) -> None:
        self.collector.take(self.fleet.members[message.worker], message)


@contextmanager
def _folder_token(run_dir: Path, name: str) -> Iterator[None]:
    """Keep a file in the run's folder by which workers see that they share it."""
    file = run_dir / name
    file.touch()
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
