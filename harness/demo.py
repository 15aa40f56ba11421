"""The demo: the reference target with a real model, and a flash sale against it, on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from harness.errors import TidegateError

SCENARIO = Path(__file__).resolve().parent.parent / "scenarios" / "flash_sale.yaml"
_START_SECONDS = 300.0  # the first start downloads and converts the model
_STOP_SECONDS = 40.0
_POLL_SECONDS = 0.2
_READY_TIMEOUT_SECONDS = 2.0


@contextmanager
def reference_target(
    log_file: Path, elasticsearch: str | None = None, spans_to: str | None = None
) -> Iterator[str]:
    """Start ``tidegate-target`` with the torch engine on a free port; yield its URL; stop it at the end.

    Its log goes to ``log_file``, and to the Elasticsearch at a URL where one is given; ``spans_to`` is the
    OTLP endpoint of its spans.
    """
    with tempfile.TemporaryDirectory(prefix="tidegate-demo-") as folder:
        port_file = Path(folder) / "port"
        log = ["--log-file", str(log_file), *(["--elasticsearch", elasticsearch] if elasticsearch else [])]
        environment = os.environ | ({"OTEL_EXPORTER_OTLP_ENDPOINT": spans_to} if spans_to else {})
        process = subprocess.Popen([*_command(), "--port-file", str(port_file), *log], env=environment)
        try:
            yield _wait_until_ready(process, port_file)
        finally:
            _stop(process)


def _command() -> list[str]:
    """Leave one core to the generator: a load test that starves itself is INVALID, not slow."""
    threads = max(len(os.sched_getaffinity(0)) - 1, 1)
    return [
        _console_script(), "serve", "--engine", "torch", "--model", "smollm2-135m", "--host", "127.0.0.1",
        "--port", "0", "--threads", str(threads), "--slots", "8", "--queue", "8",
        "--max-sequence-length", "512",
    ]  # fmt: skip


def _console_script() -> str:
    beside = Path(sys.executable).parent / "tidegate-target"
    found = str(beside) if beside.exists() else shutil.which("tidegate-target")
    if found is None:
        raise TidegateError("tidegate-target is not installed: pip install 'tidegate[target]'")
    return found


def _wait_until_ready(process: subprocess.Popen[bytes], port_file: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise TidegateError(f"the reference target ended with code {process.returncode} while starting")
        port = port_file.read_text().strip() if port_file.exists() else ""
        if port and _is_ready(f"http://127.0.0.1:{port}/ready"):
            return f"http://127.0.0.1:{port}"
        time.sleep(_POLL_SECONDS)
    raise TidegateError(f"the reference target was not ready within {_START_SECONDS:.0f} s")


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_READY_TIMEOUT_SECONDS) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:  # not listening yet, or 503: the model is still loading
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
