"""Serve one timetable from several processes on one port, until told to end."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.calibrate.golden.counts import SharedCounts
from harness.calibrate.golden.http_server import HttpServer
from harness.calibrate.golden.sockets import bound_socket, listening_socket
from harness.calibrate.golden.timetable import Timetable

_PR_SET_PDEATHSIG = 1
_READY = b"r"
_NICE = -5
"""On cores shared with the harness: before its interpreters, after its sending threads. Else connections wait
until the listeners' queues are full, and are tried again a second later."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to serve. ``port`` 0 takes a free one. Process k is pinned to ``cores[k mod len]``, if any: it
    takes that core whole while tokens are due."""

    timetable: Timetable
    log_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    processes: int = 1
    cores: tuple[int, ...] = ()
    backlog: int = 4096
    port_file: Path | None = None


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; every process leaves its log in ``log_dir``.

    Prints one line when all processes listen. Raises OSError where the port cannot be had.
    """
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    with bound_socket(
        settings.host, settings.port
    ) as placeholder:  # bound, never listening: it keeps the port
        port = placeholder.getsockname()[1]
        shared = SharedCounts(settings.processes)
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)  # what comes early must reach every child
        children = [_start(settings, port, shared, process) for process in range(settings.processes)]
        ready = all(os.read(pipe, 1) == _READY for _, pipe in children)
        if ready:
            _announce(settings, port)
        pids = [pid for pid, _ in children]
        _wait_for_the_end(pids if ready else [])
        codes = _end(pids)
    if not ready or any(codes):
        raise ChildProcessError(f"the golden target's processes ended with the codes {codes}")


_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


def _announce(settings: Settings, port: int) -> None:
    if settings.port_file is not None:
        unfinished = settings.port_file.with_suffix(".part")
        unfinished.write_text(f"{port}\n")
        unfinished.replace(settings.port_file)
    print(f"golden target: http://{settings.host}:{port}, {settings.processes} processes", flush=True)


def _wait_for_the_end(pids: Sequence[int]) -> None:
    """Return when told to end, or when a child has ended."""
    while pids:
        if signal.sigwait(_ENDINGS) != signal.SIGCHLD:
            return
        if any(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) for pid in pids):
            return  # not a child that was merely stopped or went on


def _end(pids: Sequence[int]) -> list[int]:
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)  # a frozen process ends too
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def _start(settings: Settings, port: int, shared: SharedCounts, process: int) -> tuple[int, int]:
    """Fork process number ``process``; return its id and the pipe on which it says that it listens."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return pid, ours
    code = 1
    try:
        _run(settings, port, shared, process, theirs)
        code = 0
    except BaseException:  # noqa: BLE001 - a forked child must not return into its parent's code
        traceback.print_exc()
    finally:
        os._exit(code)


def _run(settings: Settings, port: int, shared: SharedCounts, process: int, ready_pipe: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    if settings.cores:
        os.sched_setaffinity(0, {settings.cores[process % len(settings.cores)]})
    shared.own(process)
    gc.freeze()
    gc.disable()  # a collection is a pause, and nothing here leaves cycles behind
    ended = _told_to_end()
    server: HttpServer

    def dump() -> tuple[int, str]:
        truth, file = server.columns(), settings.log_dir / f"golden-{os.getpid()}.npz"
        truth.write(file)
        return len(truth), file.name

    with listening_socket(settings.host, port, settings.backlog) as listener:
        server = HttpServer(
            listener, settings.timetable, shared, dump, stop=ended, spins=bool(settings.cores)
        )
        os.write(ready_pipe, _READY)
        server.run()
        dump()
        server.close()


def _told_to_end() -> int:
    """Return a descriptor that is readable once SIGTERM or SIGINT has come, whatever the process is in."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # the descriptor says it all
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
    return ours
