"""Several processes behind one port: a parent that forks them, watches them, and ends with them.

The kernel spreads connections over listeners that share a port (SO_REUSEPORT). A group is whole or it ends:
with one process missing, counts would be short and nobody would know.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from target_server.api.server import bind

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Place:
    """One process' place: its listener at the shared port, and the one that is its own."""

    index: int
    shared: socket.socket
    own: socket.socket

    def close(self) -> None:
        """Close both in this process."""
        self.shared.close()
        self.own.close()


def make_places(host: str, port: int, own_port: int, count: int) -> list[Place]:
    """Bind ``count`` places; process k's own port is ``own_port + k``, or any free one when that is 0.

    All listen from here on, so that a connection waits for its process instead of being refused. Raises
    `OSError` when a port is taken.
    """
    with bind(host, port) as alone:  # fails when another server has the port: sharing would let us join it
        port = int(alone.getsockname()[1])
    places: list[Place] = []
    try:
        for index in range(count):
            own = bind(host, own_port + index if own_port else 0)
            places.append(Place(index, bind(host, port, shared=True), own))
    except OSError:
        for place in places:
            place.close()
        raise
    return places


def run_processes(places: list[Place], serve: Callable[[Place], int]) -> int:
    """Fork a process for each place; return 0 when all were told to end and did, else 1.

    Call it before any thread or event loop is made: neither survives a fork.
    """
    gc.freeze()  # what the parent has loaded stays shared between the children
    children = {_fork(place, places, serve) for place in places}
    for place in places:
        place.close()
    return _watch(children)


def _fork(place: Place, places: list[Place], serve: Callable[[Place], int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _settle(place, places)
        code = serve(place)
    except BaseException:  # noqa: BLE001 - a child must never return into the parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _settle(place: Place, places: list[Place]) -> None:
    """Die with the parent, leave its terminal's signals to it, and hold no other process' listeners."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setpgid(0, 0)
    for other in places:
        if other is not place:
            other.close()


def _watch(children: set[int]) -> int:
    """Pass signals on as SIGTERM, and end the rest when one ends unasked."""
    told = False

    def tell(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True
        _terminate(children)

    before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
    code = 0
    while children:
        pid, status = os.wait()
        children.discard(pid)
        ended = os.waitstatus_to_exitcode(status)
        if ended or not told:
            print(f"tidegate-target: process {pid} ended with {ended}; the others end too", file=sys.stderr)
            code = 1
            if not told:
                told = True
                _terminate(children)
    for number, handler in before.items():
        signal.signal(number, handler)
    return code


def _terminate(children: set[int]) -> None:
    for pid in tuple(children):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
