"""Real servers for the end-to-end tests, each in a process of its own on a free port."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

BIN = Path(sys.executable).parent
START_SECONDS = 90.0


@contextmanager
def reference_target(folder: Path, *arguments: str) -> Iterator[str]:
    """Run ``tidegate-target serve`` with these arguments and yield its base URL."""
    port_file = folder / "target.port"
    command = [str(BIN / "tidegate-target"), "serve", "--host", "127.0.0.1", "--port", "0"]
    command += ["--port-file", str(port_file), "--log-file", str(folder / "target.log.jsonl"), *arguments]
    with stopped_at_the_end(subprocess.Popen(command)) as process:
        wait_until(lambda: port_file.exists() and port_file.read_text().strip(), process)
        url = f"http://127.0.0.1:{port_file.read_text().strip()}"
        wait_until(lambda: answers(f"{url}/ready"), process)
        yield url


@contextmanager
def stopped_at_the_end(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(condition, process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{process.args} ended with code {process.returncode} while starting")
        if time.monotonic() > deadline:
            raise TimeoutError(f"not ready within {START_SECONDS} s")
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def tidegate(*arguments: str, cwd: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would and return what it printed and its exit code."""
    command = [str(BIN / "tidegate"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)


def only_run(runs_dir: Path) -> Path:
    """Return the one run in the folder."""
    runs = [path for path in runs_dir.iterdir() if (path / "run.json").exists()]
    assert len(runs) == 1, runs
    return runs[0]


def wait_for_worker(pid: int) -> int:
    """Return the process id of the first load worker that the process ``pid`` has started."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for child in psutil.Process(pid).children():
            if any("harness.load.worker" in word for word in child.cmdline()):
                return child.pid
        time.sleep(0.05)
    raise TimeoutError("no load worker was started")
