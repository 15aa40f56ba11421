"""The open-loop engine inside plain Locust: its command line, its web page, its master and workers.

A locustfile calls ``install(events, root)`` once. A run then starts and stops with Locust's test. It is led
by a greenlet beside Locust's users, because a Locust user that ends is spawned again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from locust import runners

from harness.errors import TidegateError, UsageError
from harness.load.conductor import Conductor, DriveResult, Order
from harness.load.fleet import Fleet
from harness.load.live_run import Conclusion, LiveRun, Root
from harness.load.locust_options import add_options, chosen_scenario
from harness.load.locust_page import add_page
from harness.load.locust_stats import log_batch
from harness.load.progress import Progress
from harness.load.slice_run import SliceRun
from harness.load.unpatched import be_patient, know_the_time
from harness.load.worker_side import MakeWork, WorkerSide
from harness.measure.record_batch import RecordBatch
from harness.scenario.model import Scenario

_log = logging.getLogger(__name__)
NAME = "tidegate"
_FEED_SECONDS = 0.25
_END_LOAD_SECONDS = 30.0
END_SECONDS = 120.0
"""How long the process waits, when it is asked to end, for the records and the report of a running test."""


def install(events: Any, root: Root) -> None:
    """Add the options and the engine to a Locust process, through its event hooks."""
    events.init_command_line_parser.add_listener(add_options)
    events.init.add_listener(lambda environment, **_: attach(environment, root))


def attach(environment: Any, root: Root) -> None:
    """Take our part in this process: the master's, a worker's, or both where Locust runs in one process."""
    be_patient()
    know_the_time()
    runner = environment.runner

    def on_work(work: Any) -> None:
        _feed_statistics(environment, work)

    if not isinstance(runner, runners.MasterRunner):
        join(environment, SliceRun, on_work)
    if not isinstance(runner, runners.WorkerRunner):
        leader = Leader(environment, lambda leader: _send_load(leader, root))
        add_page(environment, leader, root)


def join(environment: Any, make_work: MakeWork, on_work: Callable[[Any], None] = lambda _work: None) -> None:
    """Let this process drive a share of each run."""
    side = WorkerSide(environment.runner, make_work, on_work=on_work)

    def leave(**_: Any) -> None:
        side.stop()
        side.leave()

    environment.events.quitting.add_listener(leave)


class Leader:
    """Leads the runs that Locust's start and stop ask for. ``live`` is the run of now, or the last one."""

    def __init__(self, environment: Any, carry_out: Callable[[Leader], Conclusion]) -> None:
        self.environment = environment
        self.conductor = Conductor(environment.runner)
        self.live = LiveRun()
        self._carry_out = carry_out
        self._greenlet: Any = None
        self._stopping = False
        if isinstance(environment.runner, runners.LocalRunner):
            _before_stop(environment.runner, self._end_load)
        environment.events.test_start.add_listener(self._on_start)
        environment.events.test_stop.add_listener(self._on_stop)
        environment.events.quitting.add_listener(self._on_quitting)

    @property
    def busy(self) -> bool:
        """Whether a run is under way, its report included."""
        return self._greenlet is not None and not self._greenlet.ready()

    def drive(
        self, scenario: Scenario, run_id: str, run_dir: Path, watch: Callable[[Progress], None]
    ) -> DriveResult:
        """Send the load with the workers that Locust has now."""
        self.live.began(scenario, run_id)
        self.conductor.expect(Fleet.of(self._ready_workers()))
        order = Order(scenario, run_id, run_dir, watch, open_ended=scenario.loop == "closed")
        return self.conductor.conduct(order, lambda: self._stopping)

    def _ready_workers(self) -> list[str]:
        runner = self.environment.runner
        if not isinstance(runner, runners.MasterRunner):
            return [runner.client_id]
        clients = runner.clients
        return [client.id for client in (*clients.ready, *clients.spawning, *clients.running)]

    def _on_start(self, **_: Any) -> None:
        if self.busy:
            _log.error("the last run is not over yet: its records are being collected")
            return
        self._stopping = False
        self.live = LiveRun()
        self._greenlet = gevent.spawn(self._lead)

    def _on_stop(self, **_: Any) -> None:
        self._stopping = True
        self._stop_probing()
        if self._is_headless:
            self._wait()  # the process ends when this returns

    def _on_quitting(self, **_: Any) -> None:
        self._stopping = True
        self._stop_probing()
        self._wait()

    def _end_load(self) -> None:
        """End the load, where it runs in this very process, before Locust begins to stop."""
        self._stopping = True
        end_by = time.monotonic() + _END_LOAD_SECONDS
        while self.busy and self.conductor.phase == "running" and time.monotonic() < end_by:
            gevent.sleep(0.05)

    def _stop_probing(self) -> None:
        """End what cannot be asked to stop: before the workers are prepared nothing is lost by it."""
        if self.busy and not self.live.begun and gevent.getcurrent() is not self._greenlet:
            self._greenlet.kill(block=False)

    def _wait(self) -> None:
        if self._greenlet is not None and gevent.getcurrent() is not self._greenlet:
            self._greenlet.join(END_SECONDS)

    def _lead(self) -> None:
        try:
            self.live.conclude(self._carry_out(self))
            self.environment.process_exit_code = self.live.exit_code
        except TidegateError as error:
            self._give_up(str(error), error.exit_code)
        except gevent.GreenletExit:
            self._give_up("stopped before the load began", TidegateError.exit_code)
        except Exception as error:  # noqa: BLE001 - a person who looks at the page must hear of it
            _log.exception("the run failed")
            self._give_up(repr(error), TidegateError.exit_code)
        if not self._stopping:
            gevent.spawn(_end_test, self.environment)

    def _give_up(self, reason: str, exit_code: int) -> None:
        _log.error("%s", reason)
        self.live.give_up(reason)
        self.environment.process_exit_code = exit_code

    @property
    def _is_headless(self) -> bool:
        options = self.environment.parsed_options
        return options is not None and bool(options.headless)


def _before_stop(runner: Any, act: Callable[[], None]) -> None:
    """Act when a runner is told to stop, before it does anything.

    Locust's stop looks its caller up in the source files first, which holds everything in the process up for
    a tenth of a second, and only then tells its listeners.
    """
    locusts_own = runner.stop

    def stop(*arguments: Any, **named: Any) -> None:
        act()
        locusts_own(*arguments, **named)

    runner.stop = stop


def _send_load(leader: Leader, root: Root) -> Conclusion:
    """One press of the start button, from the chosen scenario to its verdict."""
    live, environment = leader.live, leader.environment
    scenario = chosen_scenario(environment)
    if scenario.loop == "closed":
        raise UsageError("loop: closed is what a locustfile's run leaves; there is no load to send")
    live.phase = "asking the target"
    run_dir = root.run_load(
        scenario, Path(environment.parsed_options.runs_dir), live.note, live.watch, leader.drive
    )
    return concluded(live, root, run_dir)


def concluded(live: LiveRun, root: Root, run_dir: Path) -> Conclusion:
    """Judge the run in a thread, so that the page goes on answering, and say what came of it."""
    live.phase = "judging"
    conclusion: Conclusion = gevent.get_hub().threadpool.apply(root.conclude, (run_dir,))
    _log.info("%s: %s", conclusion.verdict, conclusion.sentence)
    _log.info("report: %s", run_dir / "report.html")
    return conclusion


def _end_test(environment: Any) -> None:
    """End the test as a person would: leave a web page up, leave a headless process."""
    options = environment.parsed_options
    if options is not None and options.headless:
        environment.runner.quit()
    else:
        environment.runner.stop()


def _feed_statistics(environment: Any, current: SliceRun) -> None:
    """Let Locust's page show our requests. Its numbers are rounded and leave out the wait before the send."""
    waiting: list[RecordBatch] = []
    current.engine.listeners.append(waiting.append)
    gevent.spawn(_log_records, environment.stats, waiting, current)


def _log_records(stats: Any, waiting: list[RecordBatch], current: SliceRun) -> None:
    finished = False
    while not finished:
        finished = current.engine.finished.wait(_FEED_SECONDS)
        if waiting:
            batches, waiting[:] = waiting[:], []
            log_batch(stats, NAME, RecordBatch.concat(batches))
