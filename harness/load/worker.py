"""A worker process: joins Locust's master, gets its slice by message, drives it, and hands its files over.

Started by ``harness.load.session`` on this machine; on another one by ``tidegate run --worker``.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import TidegateError
from harness.load.slice_run import SliceRun
from harness.load.unpatched import Environment
from harness.load.worker_side import WorkerOptions, WorkerSide

_PR_SET_PDEATHSIG = 1
MORE = 75
"""The exit code of a worker that should come again, for the next run of a suite (EX_TEMPFAIL)."""


def main(arguments: Sequence[str] | None = None, options: WorkerOptions | None = None) -> int:
    """Run one worker until its master is done; return the process's exit code."""
    given = _parse(arguments)
    logging.basicConfig(level=logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the master tells us
    if given.index >= 0 or given.with_parent:
        _die_with_parent()
    return serve(given.master_host, given.master_port, given.index, options or WorkerOptions(given.scratch))


def serve(host: str, port: int, index: int, options: WorkerOptions) -> int:
    """Join the master and take part until it says quit. Return 0, or ``MORE``."""
    runner: Any = Environment(user_classes=[]).create_worker_runner(host, port)
    side = WorkerSide(runner, SliceRun, options)
    side.greet(index)
    runner.greenlet.join()
    side.leave()
    return MORE if side.more else 0


def serve_with_processes(host: str, port: int, processes: int, scratch: Path | None = None) -> None:
    """Keep so many workers on this machine, each run in fresh processes, until the master needs no more.

    Raise TidegateError when one of them fails.
    """
    command = [sys.executable, "-m", "harness.load.worker", "--master-host", host, "--master-port", str(port)]
    command += ["--with-parent", *(["--scratch", str(scratch)] if scratch else [])]
    wanted = [command] * processes
    while wanted:
        started = [subprocess.Popen(each, stdin=subprocess.DEVNULL) for each in wanted]
        codes = [process.wait() for process in started]
        if any(code not in (0, MORE) for code in codes):
            raise TidegateError(f"a worker failed: exit codes {', '.join(map(str, codes))}")
        wanted = [command] * codes.count(MORE)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m harness.load.worker", description=__doc__)
    parser.add_argument("--master-host", default="127.0.0.1")
    parser.add_argument("--master-port", type=int, default=5557)
    parser.add_argument("--index", type=int, default=-1, help="the slice, when the master started us")
    parser.add_argument("--scratch", type=Path, help="where to write what is sent to the master afterwards")
    parser.add_argument("--with-parent", action="store_true", help="end when the starting process does")
    return parser.parse_args(arguments)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
