"""One process of the stack: started in a session of its own, known by pid and start time, ended for sure."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stack.errors import NotObtainableError

_POLL_SECONDS = 0.05
_START_TICKS_FIELD = 19  # of what follows the command's name in /proc/PID/stat; proc(5) calls it field 22


@dataclass(frozen=True, slots=True)
class Process:
    """A process that leads its session. ``start_ticks`` (since boot) tells it from a later one of its pid."""

    pid: int
    start_ticks: int

    def is_alive(self) -> bool:
        """Return whether this very process still runs (a zombie does not)."""
        _reap(self.pid)
        return start_ticks(self.pid) == self.start_ticks

    def resident_bytes(self) -> int:
        """Return the resident memory of the process and of what it started."""
        return sum(_resident_bytes(pid) for pid in _members(self.pid)) if self.is_alive() else 0


def spawn(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Process:
    """Start a command in a session of its own; what it prints is appended to the log."""
    program = shutil.which(command[0])
    if program is None:
        raise NotObtainableError(f"{command[0]} is missing")
    log.parent.mkdir(parents=True, exist_ok=True)
    appended = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), appended, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(
        program, list(command), {**os.environ, **environment}, file_actions=actions, setsid=True
    )
    return Process(pid, start_ticks(pid) or 0)


def stop(process: Process, grace_seconds: float) -> bool:
    """Ask the process to end; after the grace, kill its session. Return whether it ended when asked."""
    if not process.is_alive():
        return True
    os.kill(process.pid, signal.SIGTERM)
    if _gone_within(process, grace_seconds):
        return True
    kill(process)
    return False


def kill(process: Process) -> None:
    """Kill the process and what it started, without a chance to write; wait until they are gone."""
    if process.is_alive():
        os.killpg(process.pid, signal.SIGKILL)
        _gone_within(process, float("inf"))


def start_ticks(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot; None where it does not run."""
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return int(fields[_START_TICKS_FIELD])


def _gone_within(process: Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while process.is_alive() or _members(process.pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # one that an earlier command started is reaped by init
        os.waitpid(pid, os.WNOHANG)


def _members(session: int) -> list[int]:
    """Return the processes of a session: Elasticsearch's launcher and its server, say."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [pid for pid in pids if (told := _stat(pid)) and told[0] not in "ZX" and int(told[3]) == session]


def _stat(pid: int) -> list[str] | None:
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return line.rpartition(")")[2].split()  # the name before it may hold spaces and brackets


def _resident_bytes(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE") if fields else 0
