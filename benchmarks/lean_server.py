"""Run ``server/server.c``: a server on one core that no load generator on another core waits for."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SOURCE = Path(__file__).with_name("server") / "server.c"


@contextmanager
def lean_server(gap_seconds: float, tokens: int, core: int | None = None) -> Iterator[int]:
    """Serve on a free port of 127.0.0.1 and yield the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [_compiled(), str(port), str(round(gap_seconds * 1e6)), str(tokens)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", "the server did not start"
        yield port
    finally:
        process.kill()
        process.communicate()


def cores_for_both() -> tuple[int | None, int | None]:
    """Return (the server's core, the generator's), or no pins where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


def _compiled() -> str:
    digest = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("TIDEGATE_CACHE") or Path.home() / ".cache" / "tidegate") / "benchmarks"
    made = cache / f"server-{digest}"
    if not made.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = made.with_name(f"{made.name}.{os.getpid()}-{time.monotonic_ns()}")
        subprocess.run([*_compiler(), "-O2", "-o", str(part), str(_SOURCE)], check=True)
        part.rename(made)
    return str(made)


def _compiler() -> list[str]:
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    return [found] if found else [sys.executable, "-m", "ziglang", "cc"]
