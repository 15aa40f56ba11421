"""What one worker costs the master each second: real messages, through a real master, over real sockets.

``python -m benchmarks.master [WORKERS …]`` joins so many workers (default: 10, 100, 1000) that send their
counts and histograms once a second and Locust's own heartbeat and statistics, and prints one JSON object a
line. ``reference`` is Locust's own traffic of as many workers without ours.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gevent

from benchmarks.figures import say
from harness.load.conductor import Conductor, _Run
from harness.load.fleet import Fleet

SECONDS = 15.0
WARM_SECONDS = 5.0


def measure(workers: int, ours: bool) -> dict[str, float]:
    """Return the master's CPU share and what came in, with ``workers`` senders in another process."""
    from harness.load.unpatched import Environment, be_patient

    be_patient()
    runner: Any = Environment(user_classes=[]).create_master_runner("127.0.0.1", 0)
    board = _watch(runner, workers)
    port = runner.server.port
    command = [sys.executable, "-m", "benchmarks.fake_workers", str(port), str(workers), str(int(ours))]
    senders = subprocess.Popen(command)
    try:
        _wait(lambda: len(runner.clients.all) == workers)
        gevent.sleep(WARM_SECONDS)
        return _over_a_while(runner, board, workers)
    finally:
        senders.terminate()
        senders.wait()
        runner.greenlet.kill(block=True)
        runner.server.close(linger=0)


def _watch(runner: Any, workers: int) -> Any:
    """Let a conductor take the messages, and draw nothing: the board is read as often as a run reads it."""
    from harness.load.conductor import Order
    from harness.scenario.model import Scenario

    stage = {"name": "only", "duration": 60, "rate": "1/s"}
    scenario = Scenario.model_validate({"name": "bench", "stages": [stage]})
    order = Order(scenario, "bench", Path(), lambda _progress: None)
    conductor = Conductor(runner)
    run = conductor._run = _Run(order, Fleet.of([str(k) for k in range(workers)]), lambda *_: None)
    gevent.spawn(_show, run)
    return run.board


def _show(run: Any) -> None:
    while True:
        gevent.sleep(0.25)
        run.show()


def _over_a_while(runner: Any, board: Any, workers: int) -> dict[str, float]:
    received = _Received(runner)
    began, cpu = time.monotonic(), _cpu_seconds()
    gevent.sleep(SECONDS)
    took = time.monotonic() - began
    return {
        "cpu_share": (_cpu_seconds() - cpu) / took,
        "messages": received.messages / took,
        "bytes": received.bytes / took,
        "heard": float(len(board._latest)) if board._latest else float(workers),
    }


class _Received:
    """Counts what the master's socket takes in."""

    def __init__(self, runner: Any) -> None:
        self.messages = self.bytes = 0
        take = runner.server.socket.recv_multipart

        def counted(*arguments: Any, **named: Any) -> Any:
            parts = take(*arguments, **named)
            self.messages += 1
            self.bytes += sum(map(len, parts))
            return parts

        runner.server.socket.recv_multipart = counted


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _wait(ready: Any) -> None:
    until = time.monotonic() + 60
    while not ready():
        if time.monotonic() > until:
            raise TimeoutError("the workers did not join")
        gevent.sleep(0.05)


def main() -> None:
    for workers in map(int, sys.argv[1:] or ("10", "100", "1000")):
        plain, ours = measure(workers, ours=False), measure(workers, ours=True)
        assert ours["heard"] == workers, f"only {ours['heard']:.0f} of {workers} workers were heard"
        reference = "Locust's own traffic alone"
        say(f"master_cpu_{workers}_workers", ours["cpu_share"], "cores", reference, plain["cpu_share"])
        for name, key, unit in (("cpu", "cpu_share", "cpu seconds"), ("traffic", "bytes", "bytes")):
            value, reference_value = ours[key] / workers, plain[key] / workers
            say(f"{name}_per_worker_{workers}", value, f"{unit} per second", reference, reference_value)


if __name__ == "__main__":
    main()
