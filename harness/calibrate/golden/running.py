"""Run a golden target beside the caller, and get its truth when it has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.calibrate.golden.child import end, wait_for_ports
from harness.calibrate.golden.truth import Truth, read_truth


class RunningGolden:
    """A golden target that was started and answers at ``url``."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log_dir: Path) -> None:
        self._process = process
        self._log_dir = log_dir
        self._truth: Truth | None = None
        self.url = url

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that serve."""
        pid = self._process.pid
        return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def freeze(self) -> None:
        """Stop every serving process where it stands (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> Truth:
        """End the target and return its truth. Stopping twice returns it again."""
        if self._truth is None:
            end(self._process)
            self._truth = read_truth(self._log_dir)
        return self._truth

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            os.kill(pid, number)


@contextmanager
def golden(
    timetable: str = "",
    *,
    processes: int = 1,
    cores: Sequence[int] = (),
    port: int = 0,
    log_dir: Path | None = None,
) -> Iterator[RunningGolden]:
    """Start a golden target, wait until it listens, and end it with the block.

    ``stop()`` returns its truth, inside the block or after it. The log goes to ``log_dir``, or to a folder
    that goes with the block. Raises TidegateError when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="tidegate-golden-") as folder:
        logs, port_file = log_dir or Path(folder), Path(folder) / "port"
        command = [
            *(sys.executable, "-m", "harness.calibrate.golden", "--timetable", timetable),
            *("--processes", str(processes), "--cores", ",".join(map(str, cores)), "--port", str(port)),
            *("--port-file", str(port_file), "--log", str(logs)),
        ]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            running = RunningGolden(
                process, f"http://127.0.0.1:{wait_for_ports(process, port_file)[0]}", logs
            )
            yield running
            running.stop()
        finally:
            end(process)
