"""The open-loop engine inside plain Locust: its command line, its web page, its master and workers.

A locustfile calls ``install(events)`` once. The engine then starts and stops with Locust's test, because a
Locust user that ends is spawned again. With master and workers, the master tells each worker its slice.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from locust import runners

from harness.errors import TidegateError, UsageError
from harness.load.slice_run import SliceOptions, SliceRun
from harness.load.unpatched import be_patient
from harness.measure.record import Outcome, RequestRecord
from harness.scenario.load import dump, load_scenario, needs_capacity, resolve
from harness.scenario.model import Scenario
from harness.telemetry.target import with_model

_log = logging.getLogger(__name__)
LEAD_SECONDS = 1.0
NAME = "tidegate"
_STATS_CHUNK = 50


def install(events: Any) -> None:
    """Add the options and the engine to a Locust process, through its event hooks."""
    events.init_command_line_parser.add_listener(_add_options)
    events.init.add_listener(_init)


def _add_options(parser: Any) -> None:
    group = parser.add_argument_group("tidegate", "Open-loop load for LLM inference")
    group.add_argument("--scenario", default="", help="scenario file (YAML)", env_var="TIDEGATE_SCENARIO")
    group.add_argument("--model", default="", help="model name (default: the first that the target lists)")
    group.add_argument("--runs-dir", default="runs", help="where each test gets its folder")


def _init(environment: Any, runner: Any, **_: Any) -> None:
    be_patient()
    if isinstance(runner, runners.MasterRunner):
        _Master(environment, runner)
    elif isinstance(runner, runners.WorkerRunner):
        _WorkerSide(environment, runner)
    else:
        _Local(environment, runner)


@dataclass(slots=True)
class _Test:
    """One press of Locust's start button."""

    scenario: Scenario
    run_id: str
    run_dir: Path
    start_wall_ns: int
    waiting: set[str] = field(default_factory=set)


def _new_test(environment: Any) -> _Test:
    scenario = _scenario_of(environment)
    run_id = f"{scenario.name}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"
    run_dir = Path(environment.parsed_options.runs_dir) / run_id
    run_dir.mkdir(parents=True)
    (run_dir / "scenario.yaml").write_text(dump(scenario))
    return _Test(scenario, run_id, run_dir.resolve(), time.time_ns() + int(LEAD_SECONDS * 1e9))


def _scenario_of(environment: Any) -> Scenario:
    options = environment.parsed_options
    if not options.scenario:
        raise UsageError("no scenario: give --scenario FILE")
    scenario = load_scenario(Path(options.scenario))
    given = {"url": environment.host, "model": options.model}
    changes = {key: value for key, value in given.items() if value}
    scenario = scenario.model_copy(update={"target": scenario.target.model_copy(update=changes)})
    if needs_capacity(scenario):
        raise UsageError(f"{options.scenario}: rates in x need the capacity probe of `tidegate run`")
    if scenario.target.url is None:
        raise UsageError("the target needs a URL: --host, or target.url in the scenario")
    return resolve(scenario.model_copy(update={"target": with_model(scenario.target)}), None)


class _Local:
    """Master and worker in one: Locust without ``--master`` and ``--worker``."""

    def __init__(self, environment: Any, runner: Any) -> None:
        self._environment = environment
        self._runner = runner
        self._slice: SliceRun | None = None
        environment.events.test_start.add_listener(self._start)
        environment.events.test_stop.add_listener(self._stop)

    def _start(self, **_: Any) -> None:
        try:
            test = _new_test(self._environment)
            self._slice = SliceRun(test.scenario, SliceOptions(test.run_id, test.run_dir, 0, 1))
        except TidegateError as error:
            _give_up(self._environment, error)
            return
        _feed_statistics(self._environment, self._slice)
        self._slice.start(test.start_wall_ns)
        gevent.spawn(self._finish, self._slice, test.run_dir)

    def _finish(self, current: SliceRun, run_dir: Path) -> None:
        current.wait()
        _log.info("records are in %s", run_dir)
        if self._slice is current:
            _end_test(self._environment)

    def _stop(self, **_: Any) -> None:
        if self._slice is not None:
            self._slice.stop_and_wait()


class _Master:
    """Gives every ready worker its slice, and ends the test when all have done theirs."""

    def __init__(self, environment: Any, runner: Any) -> None:
        self._environment = environment
        self._runner = runner
        self._test: _Test | None = None
        environment.events.test_start.add_listener(self._start)
        environment.events.test_stop.add_listener(self._stop)
        runner.register_message("tidegate.slice-done", self._on_done)
        runner.register_message("tidegate.slice-failed", self._on_failed)

    def _start(self, **_: Any) -> None:
        try:
            test = _new_test(self._environment)
        except TidegateError as error:
            _give_up(self._environment, error)
            return
        clients = [client.id for client in self._runner.clients.ready]
        test.waiting = set(clients)
        self._test = test
        for index, client_id in enumerate(clients):
            self._runner.send_message("tidegate.slice", _assignment(test, index, len(clients)), client_id)

    def _stop(self, **_: Any) -> None:
        self._runner.send_message("tidegate.slice-stop", {})

    def _on_done(self, msg: Any, **_: Any) -> None:
        test = self._test
        if test is None or msg.data["run_id"] != test.run_id:
            return
        test.waiting.discard(msg.node_id)
        if not test.waiting:
            _log.info("records are in %s", test.run_dir)
            gevent.spawn(_end_test, self._environment)

    def _on_failed(self, msg: Any, **_: Any) -> None:
        gevent.spawn(_give_up, self._environment, TidegateError(msg.data["error"]))


def _assignment(test: _Test, index: int, workers: int) -> dict[str, Any]:
    return {
        "scenario": dump(test.scenario),
        "run_id": test.run_id,
        "run_dir": str(test.run_dir),
        "worker": index,
        "workers": workers,
        "start_wall_ns": test.start_wall_ns,
    }


class _WorkerSide:
    """Drives the slice that the master names. A worker elsewhere leaves its files on its own machine."""

    def __init__(self, environment: Any, runner: Any) -> None:
        self._environment = environment
        self._runner = runner
        self._slice: SliceRun | None = None
        runner.register_message("tidegate.slice", self._on_slice, concurrent=True)
        runner.register_message("tidegate.slice-stop", self._on_stop, concurrent=True)
        environment.events.test_stop.add_listener(self._on_stop)

    def _on_slice(self, msg: Any, **_: Any) -> None:
        data = msg.data
        run_dir = Path(data["run_dir"])
        run_dir.mkdir(parents=True, exist_ok=True)
        file = run_dir / f".scenario-{data['worker']}.yaml"
        file.write_text(data["scenario"])
        try:
            options = SliceOptions(data["run_id"], run_dir, data["worker"], data["workers"])
            self._slice = SliceRun(load_scenario(file), options)
        except TidegateError as error:
            self._runner.send_message("tidegate.slice-failed", {"error": str(error)})
            return
        finally:
            file.unlink()
        _feed_statistics(self._environment, self._slice)
        self._slice.start(data["start_wall_ns"])
        self._slice.wait()
        self._runner.send_message("tidegate.slice-done", {"run_id": data["run_id"]})

    def _on_stop(self, **_: Any) -> None:
        if self._slice is not None:
            self._slice.stop_and_wait()


def _give_up(environment: Any, error: TidegateError) -> None:
    _log.error("%s", error)
    environment.process_exit_code = error.exit_code
    gevent.spawn(_end_test, environment)


def _end_test(environment: Any) -> None:
    """End the test as a person would: leave a web page up, leave a headless process."""
    options = environment.parsed_options
    if options is not None and options.headless:
        environment.runner.quit()
    else:
        environment.runner.stop()


def _feed_statistics(environment: Any, current: SliceRun) -> None:
    """Let Locust's page show our requests. Its numbers are rounded and leave out the wait before the send."""
    waiting: list[RequestRecord] = []
    current.engine.listeners.append(waiting.extend)
    gevent.spawn(_log_requests, environment.stats, waiting, current)


def _log_requests(stats: Any, waiting: list[RequestRecord], current: SliceRun) -> None:
    while waiting or not current.engine.finished.is_set():
        chunk, waiting[:_STATS_CHUNK] = waiting[:_STATS_CHUNK], []
        _log_chunk(stats, chunk)
        gevent.sleep(0 if chunk else 0.1)


def _log_chunk(stats: Any, records: Sequence[RequestRecord]) -> None:
    for record in records:
        if record.outcome is Outcome.OK and record.first_token_ns is not None:
            _log_one(stats, "TTFT", record.first_token_ns - record.intended_ns, 0)
        _log_one(stats, "E2E", record.end_ns - record.intended_ns, record.bytes_received)
        if record.outcome is not Outcome.OK:
            stats.log_error("E2E", NAME, f"{record.outcome}: {record.error_type or ''}")


def _log_one(stats: Any, kind: str, took_ns: int, size_bytes: int) -> None:
    stats.log_request(kind, NAME, took_ns / 1e6, size_bytes)
