"""Run a load generator on one core for a bounded time, and measure what its whole process tree uses.

A tool's start costs seconds of processor time that say nothing about its speed, so ``cores`` counts only the
time in which the server was at work. Processes are found by the session that the first one leads.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peer.environment import last_line
from benchmarks.peer.tool import AbsentError, Launch

_SAMPLE_SECONDS = 0.2
_SERVER_WORKS_SHARE = 0.003  # of a core; idle it uses a hundredth of that, at the lowest load here 1 %
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Finished:
    """What a process tree printed and used."""

    output: str
    cpu_seconds: float  # of all its life, start included
    cores: float  # while the server was at work


def run(launch: Launch, core: int | None, server_pid: int, folder: Path, limit_seconds: float) -> Finished:
    """Run to the end. Raises `AbsentError` where the tool fails or does not end in time."""
    said = folder / "output.txt"
    with said.open("wb") as sink:
        process = subprocess.Popen(
            _on_core(launch.command, core),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **launch.environment},
            start_new_session=True,
        )
        try:
            status, cpu_seconds, cores = _watch(process.pid, server_pid, time.monotonic() + limit_seconds)
            process.returncode = os.waitstatus_to_exitcode(status)  # Popen did not reap it
        finally:
            end(process.pid)
            if process.returncode is None:
                process.returncode = -signal.SIGKILL
    output = said.read_text(errors="replace")
    if process.returncode:
        raise AbsentError(f"exit code {process.returncode}: {last_line(output)}")
    return Finished(output, cpu_seconds, cores)


def _on_core(command: list[str], core: int | None) -> list[str]:
    return command if core is None else ["taskset", "-c", str(core), *command]


def _watch(pid: int, server_pid: int, deadline: float) -> tuple[int, float, float]:
    """Return exit status, processor seconds and cores in use while the server worked."""
    used = passed = 0.0
    before = _sample(pid, server_pid)
    while True:
        time.sleep(_SAMPLE_SECONDS)
        now = _sample(pid, server_pid)
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            cpu_seconds = usage.ru_utime + usage.ru_stime
            return status, cpu_seconds, used / passed if passed else float("nan")
        clock, tree, server = (b - a for a, b in zip(before, now, strict=True))
        if server > _SERVER_WORKS_SHARE * clock and tree >= 0:  # a process that left takes its count with it
            used, passed = used + tree, passed + clock
        before = now
        if now[0] > deadline:
            raise AbsentError("did not end in time")


def _sample(pid: int, server_pid: int) -> tuple[float, float, float]:
    """Return the clock, the tree's processor seconds and the server's."""
    tree = sum(sum(map(int, fields[11:15])) for _, fields in _session(pid)) / _TICKS_PER_SECOND
    server = int(Path(f"/proc/{server_pid}/schedstat").read_text().split()[0]) / 1e9
    return time.monotonic(), tree, server


def _session(leader: int) -> list[tuple[int, list[str]]]:
    """Return (pid, fields of its ``stat`` from the third on) of every process of the session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if fields[3] == str(leader):
            found.append((int(stat.parent.name), fields))
    return found


def end(leader: int) -> None:
    """Kill what is left of the session, each by its id, and reap its leader if it is ours still."""
    for pid, fields in _session(leader):
        if fields[0] != "Z":
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    try:
        os.waitpid(leader, 0)
    except ChildProcessError:
        return  # reaped already


def child_on_port(port: int) -> int:
    """Return the id of our child that was started for ``port``."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            words = (stat.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == os.getpid() and str(port).encode() in words:
            return int(stat.parent.name)
    raise RuntimeError("the server is not our child")
