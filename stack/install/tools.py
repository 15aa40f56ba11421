"""Run a registry's ordinary client, and tell in one sentence what it said when it failed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from stack.errors import NotObtainableError

_TOLD_LINES = 6


def tool(name: str, remedy: str) -> str:
    """Return the path of a program on PATH; raise NotObtainableError with the remedy where it is missing."""
    found = shutil.which(name)
    if found is None:
        raise NotObtainableError(f"{name} is not on PATH; {remedy}")
    return found


def run_tool(
    command: Sequence[str],
    timeout_seconds: float,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a client at the lowest priority; raise NotObtainableError with its last lines when it fails."""
    try:
        done = subprocess.run(
            ["nice", "-n", "15", *command], cwd=cwd, env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=timeout_seconds, check=False, text=True, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NotObtainableError(f"{_told(command)} did not end within {timeout_seconds:.0f} s") from None
    if done.returncode != 0:
        raise NotObtainableError(f"{_told(command)} ended with code {done.returncode}: {_tail(done.stdout)}")


def _told(command: Sequence[str]) -> str:
    return f"{Path(command[0]).name} {' '.join(command[1:3])}"


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_TOLD_LINES:]) or "it printed nothing"
