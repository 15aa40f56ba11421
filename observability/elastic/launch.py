"""Start a shipper beside the process that writes the spool, and end it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from observability.elastic.client import URL_VARIABLE

_SPARE_SECONDS = 10.0


class ShipperProcess:
    """A shipper of one spool. It ends by itself, within its drain time, after the process that made it."""

    def __init__(self, folder: Path, url: str, drain_seconds: float) -> None:
        """Raise OSError when no process can be started."""
        self._drain_seconds = drain_seconds
        command = [sys.executable, "-m", "observability.elastic.process", str(folder)]
        self._process = subprocess.Popen(
            [*command, "--drain-seconds", str(drain_seconds)],
            stdin=subprocess.PIPE,
            env={**os.environ, URL_VARIABLE: url},
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process' id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it still ships."""
        return self._process.poll() is None

    def finish(self) -> bool:
        """Say that nothing more will come, wait, and return whether all was shipped."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            return self._process.wait(self._drain_seconds + _SPARE_SECONDS) == 0
        except subprocess.TimeoutExpired:
            self._process.kill()  # what it has not acknowledged stays in the spool
            self._process.wait()
            return False
