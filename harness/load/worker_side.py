"""A worker's side of a run, the same over every runner of Locust's: prepare, drive, report, hand over."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import gevent
from gevent.event import AsyncResult, Event

from harness.errors import TidegateError
from harness.load import shards
from harness.load.clock_sync import ClockSync
from harness.load.messages import (
    Failed,
    Finished,
    Go,
    Hello,
    Piece,
    Prepare,
    Prepared,
    Pull,
    Release,
    Shard,
    Stop,
    register,
    send,
)
from harness.load.progress import ProgressReporter, Watched
from harness.load.quiet_gc import settle
from harness.load.slice_run import SliceOptions
from harness.measure.worker_report import ClockReading, MasterClock, WorkerReport
from harness.scenario.load import load_scenario
from harness.scenario.model import Scenario

_log = logging.getLogger(__name__)
COUNTS_SECONDS = 1.0


class Work(Protocol):
    """What a worker drives: its slice of a plan, or the users of a locustfile."""

    @property
    def planned(self) -> int:
        """How many arrivals it has; 0 where nobody knows."""

    @property
    def engine(self) -> Watched:
        """What is watched while it goes on."""

    def start(self, start_wall_ns: int, offset_ns: int) -> None:
        """Begin, at an instant of the master's clock."""

    def stop(self) -> None:
        """End early. Does not wait."""

    def wait(self) -> WorkerReport:
        """Wait for the end; both files are written then."""


MakeWork = Callable[[Scenario, SliceOptions], Work]


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """``scratch``: where to write what is sent to the master afterwards (None: the master's own folder where
    it can be reached, else the system's folder for temporary files). ``wall_ns``: this machine's wall clock.
    """

    scratch: Path | None = None
    wall_ns: Callable[[], int] = time.time_ns


@dataclass(slots=True)
class _Part:
    """This worker's part of one run."""

    order: Prepare
    folder: Path
    shared: bool
    go: Any = field(default_factory=AsyncResult)
    released: Any = field(default_factory=Event)
    work: Work | None = None
    clock: ClockReading | None = None
    shards: dict[str, Shard] = field(default_factory=dict)


class WorkerSide:
    """Takes part in one run after another. ``on_work`` sees each slice before it begins.

    ``more`` says, once a run was released, whether the master announced another one.
    """

    def __init__(
        self,
        runner: Any,
        make_work: MakeWork,
        options: WorkerOptions = WorkerOptions(),
        on_work: Callable[[Any], None] = lambda _work: None,
    ) -> None:
        self._runner = runner
        self._make_work = make_work
        self._options = options
        self._on_work = on_work
        self._clock = ClockSync(runner, options.wall_ns)
        self._part: _Part | None = None
        self.more = False
        register(runner, Prepare, self._on_prepare)
        register(runner, Go, self._on_go)
        register(runner, Stop, lambda message, _sender: self._stop_run(message.run_id))
        register(runner, Pull, self._on_pull)
        register(runner, Release, self._on_release)

    def greet(self, index: int) -> None:
        """Tell the master that this process is up."""
        send(self._runner, Hello(index, os.getpid()))

    def stop(self) -> None:
        """End the slice early, if one is under way. Does not wait."""
        if self._part is not None:
            self._stop_run(self._part.order.run_id)

    def leave(self) -> None:
        """Say where the files are that no master took, when the process is about to end."""
        part = self._part
        if part is not None and not part.released.is_set():
            self._tidy(part, stored=False)

    def _on_prepare(self, order: Prepare, _sender: str) -> None:
        gevent.spawn(self._take_part, order)

    def _on_go(self, message: Go, _sender: str) -> None:
        if self._part is not None and self._part.order.run_id == message.run_id:
            self._part.go.set(message.start_wall_ns)

    def _stop_run(self, run_id: str) -> None:
        part = self._part
        if part is not None and part.order.run_id == run_id and part.work is not None:
            part.work.stop()

    def _on_release(self, message: Release, _sender: str) -> None:
        part = self._part
        if part is not None and part.order.run_id == message.run_id:
            self.more = message.more
            part.go.set(None)
            part.released.set()
            self._tidy(part, message.stored)

    def _on_pull(self, pull: Pull, _sender: str) -> None:
        part = self._part
        if part is not None and part.order.run_id == pull.run_id and pull.name in part.shards:
            data = shards.read_piece(part.folder, pull.name, pull.index)
            send(self._runner, Piece(pull.run_id, part.order.worker, pull.name, pull.index, data))

    def _take_part(self, order: Prepare) -> None:
        part = self._part = self._place(order)
        work = self._prepared(part)
        if work is None:
            return
        start_wall_ns = part.go.get()
        if start_wall_ns is None:  # the run was called off
            work.stop()
            work.wait()
            return
        reporter = ProgressReporter(work.engine, order.run_id, order.worker, _read_scenario(order.scenario))
        self._on_work(work)
        assert part.clock is not None
        work.start(start_wall_ns, part.clock.offset_ns)
        self._report_until_the_end(part, work, reporter)
        self._hand_over(part)

    def _place(self, order: Prepare) -> _Part:
        shared = self._options.scratch is None and (Path(order.run_dir) / order.token).is_file()
        if shared:
            return _Part(order, Path(order.run_dir), shared=True)
        folder = tempfile.mkdtemp(prefix=f"tidegate-{order.run_id}-", dir=self._options.scratch)
        return _Part(order, Path(folder), shared=False)

    def _prepared(self, part: _Part) -> Work | None:
        """Build the work, read the clock and say so; None, and say why, where that cannot be done."""
        order = part.order
        try:
            part.work = self._build(part)
            settle()
            part.clock = self._clock.read()
        except TidegateError as error:
            self._fail(order, str(error), error.exit_code)
            return None
        except Exception as error:  # noqa: BLE001 - the master must hear of it, whatever it is
            _log.exception("preparing failed")
            self._fail(order, repr(error), TidegateError.exit_code)
            return None
        if part.clock is None:
            self._fail(order, "the master does not tell its time", TidegateError.exit_code)
            return None
        offset_ns, uncertainty_ns = part.clock.offset_ns, part.clock.uncertainty_ns
        prepared = Prepared(order.run_id, order.worker, part.work.planned, offset_ns, uncertainty_ns)
        send(self._runner, prepared)
        return part.work

    def _build(self, part: _Part) -> Work:
        order = part.order
        options = SliceOptions(
            order.run_id,
            part.folder,
            order.worker,
            order.workers,
            order.record_gaps,
            order.metrics_port,
            self._options.wall_ns,
        )
        return self._make_work(_read_scenario(order.scenario), options)

    def _fail(self, order: Prepare, error: str, exit_code: int) -> None:
        send(self._runner, Failed(order.run_id, order.worker, error, exit_code))

    def _report_until_the_end(self, part: _Part, work: Work, reporter: ProgressReporter) -> None:
        reporting = gevent.spawn(self._report, reporter, part.order)
        try:
            report = work.wait()
        finally:
            reporting.kill()
        send(self._runner, reporter.message())
        assert part.clock is not None
        replace(report, master_clock=MasterClock(part.clock, self._clock.read())).write(part.folder)

    def _report(self, reporter: ProgressReporter, order: Prepare) -> None:
        # Spread over the second: a thousand workers that start at one instant would else all speak at once.
        gevent.sleep(COUNTS_SECONDS * order.worker / order.workers)
        while True:
            send(self._runner, reporter.message())
            gevent.sleep(COUNTS_SECONDS)

    def _hand_over(self, part: _Part) -> None:
        order = part.order
        listed = gevent.get_hub().threadpool.apply(shards.manifest, (part.folder, order.worker))
        part.shards = {shard.name: shard for shard in listed}
        send(self._runner, Finished(order.run_id, order.worker, part.shared, listed))

    def _tidy(self, part: _Part, stored: bool) -> None:
        if part.shared:
            return
        if stored:
            shutil.rmtree(part.folder, ignore_errors=True)
        elif any(part.folder.iterdir()):
            _log.error("the master did not take every file: what this worker wrote is in %s", part.folder)


def _read_scenario(text: str) -> Scenario:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        return load_scenario(Path(file.name))
