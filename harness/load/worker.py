"""A worker process: joins Locust's master, gets its slice by message, drives it, and leaves its files.

Started by ``harness.load.session`` on this machine. On another one, start it by hand:
``python -m harness.load.worker --master-host HOST --master-port PORT``.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gevent

from harness.errors import TidegateError
from harness.load.progress import ProgressReporter
from harness.load.slice_run import SliceOptions, SliceRun
from harness.load.unpatched import Environment
from harness.scenario.load import load_scenario

_log = logging.getLogger(__name__)
PROGRESS_SECONDS = 0.5
FILE_CHUNK_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1


class Worker:
    """The worker's side of the conversation: hello, prepare → prepared, go → progress …, files, done."""

    def __init__(self, host: str, port: int, index: int) -> None:
        self._runner = Environment(user_classes=[]).create_worker_runner(host, port)
        self._slice: SliceRun | None = None
        self._options: SliceOptions | None = None
        self._ship_files = False
        for name in ("prepare", "go", "stop"):
            handler = getattr(self, f"_on_{name}")
            self._runner.register_message(f"tidegate.{name}", handler, concurrent=True)
        self._say("hello", index=index, pid=os.getpid())

    def join(self) -> None:
        """Wait until the master says quit."""
        self._runner.greenlet.join()

    def _say(self, name: str, /, **data: Any) -> None:
        self._runner.send_message(f"tidegate.{name}", data)

    def _on_prepare(self, msg: Any, **_: Any) -> None:
        try:
            self._prepare(msg.data)
        except TidegateError as error:
            self._say("failed", worker=msg.data["worker"], error=str(error), exit_code=error.exit_code)
        except Exception as error:  # noqa: BLE001 - the master must hear of it, whatever it is
            _log.exception("preparing failed")
            self._say("failed", worker=msg.data["worker"], error=repr(error), exit_code=5)

    def _prepare(self, data: Mapping[str, Any]) -> None:
        self._ship_files = data["run_dir"] is None
        run_dir = Path(data["run_dir"] or tempfile.mkdtemp(prefix="tidegate-"))
        self._options = SliceOptions(
            data["run_id"],
            run_dir,
            data["worker"],
            data["workers"],
            data["record_gaps"],
            data["metrics_port"],
        )
        self._slice = SliceRun(_read_scenario(data["scenario"]), self._options)
        self._say("prepared", worker=self._options.worker, planned=self._slice.planned)

    def _on_go(self, msg: Any, **_: Any) -> None:
        assert self._slice is not None
        assert self._options is not None
        worker = self._options.worker
        self._slice.start(msg.data["start_wall_ns"])
        reporter = ProgressReporter(self._slice.engine, worker)
        reporting = gevent.spawn(self._report, reporter)
        try:
            self._slice.wait()
        finally:
            reporting.kill()
        self._say("progress", **reporter.message())
        if self._ship_files:
            self._ship(self._options.run_dir)
        self._say("done", worker=worker)

    def _on_stop(self, **_: Any) -> None:
        if self._slice is not None:
            self._slice.stop()

    def _report(self, reporter: ProgressReporter) -> None:
        while True:
            self._say("progress", **reporter.message())
            gevent.sleep(PROGRESS_SECONDS)

    def _ship(self, run_dir: Path) -> None:
        """Send the slice's files to a master on another machine, a piece at a time."""
        for path in sorted(run_dir.iterdir()):
            with path.open("rb") as file:
                while piece := file.read(FILE_CHUNK_BYTES):
                    self._say("file", name=path.name, data=piece)
                    gevent.sleep(0)


def _read_scenario(text: str) -> Any:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        return load_scenario(Path(file.name))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one worker until its master is done."""
    parser = argparse.ArgumentParser(prog="python -m harness.load.worker", description=__doc__)
    parser.add_argument("--master-host", default="127.0.0.1")
    parser.add_argument("--master-port", type=int, default=5557)
    parser.add_argument("--index", type=int, default=-1, help="the slice, when the master started us")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the master tells us
    if options.index >= 0:
        _die_with_parent()
    Worker(options.master_host, options.master_port, options.index).join()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    main()
