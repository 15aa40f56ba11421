"""A golden target's process as its starter sees it: it tells its ports in a file, and ends when told."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from harness.errors import TidegateError

_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02


def wait_for_ports(process: subprocess.Popen[bytes], port_file: Path) -> list[int]:
    """Wait until the process listens and return its ports. Raises TidegateError when it does not."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if port_file.exists():
            return [int(port) for port in port_file.read_text().split()]
        if process.poll() is not None:
            raise TidegateError(f"the golden target ended with code {process.returncode} while starting")
        time.sleep(_POLL_SECONDS)
    raise TidegateError(f"the golden target did not listen within {_START_SECONDS:g} s")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, wait until it has, and kill it when it takes too long."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
