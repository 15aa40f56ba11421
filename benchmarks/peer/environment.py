"""A virtual environment for each tool, made once, so that no tool's pins meet another's."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.peer.tool import AbsentError

_INSTALL_LIMIT_SECONDS = 1800  # guidellm brings torch: gigabytes


def environment(name: str, *pins: str) -> Path:
    """Return the environment's ``bin`` with ``pins`` in it, made at the first call. Raises `AbsentError`."""
    digest = hashlib.sha256(" ".join((*pins, sys.version)).encode()).hexdigest()[:12]
    home = cache() / "peers" / f"{name}-{digest}"
    if not (home / "ready").exists():
        _make(home, pins)
        (home / "ready").touch()
    return home / "bin"


def cache() -> Path:
    return Path(os.environ.get("TIDEGATE_CACHE") or Path.home() / ".cache" / "tidegate")


def _make(home: Path, pins: tuple[str, ...]) -> None:
    shutil.rmtree(home, ignore_errors=True)  # half of an earlier try
    python = str(home / "bin" / "python")
    if uv := shutil.which("uv"):
        steps = [[uv, "venv", "-q", "--python", sys.executable, str(home)]]
        steps += [[uv, "pip", "install", "-q", "--python", python, *pins]]
    else:
        steps = [[sys.executable, "-m", "venv", str(home)], [python, "-m", "pip", "install", "-q", *pins]]
    for step in steps:
        must(step, _INSTALL_LIMIT_SECONDS)


def must(command: list[str], limit_seconds: float) -> str:
    """Return what the command prints; raise `AbsentError` with the last it said where it fails."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=limit_seconds,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AbsentError(f"{Path(command[0]).name}: {type(error).__name__}") from error
    if done.returncode:
        raise AbsentError(f"{Path(command[0]).name} failed: {last_line(done.stderr or done.stdout)}")
    return done.stdout


def last_line(text: str) -> str:
    return next(
        (line.strip()[:200] for line in reversed(text.splitlines()) if line.strip()), "it said nothing"
    )
