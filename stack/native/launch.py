"""How a component is started: a value that the supervisor carries out, and the wait until it is healthy."""

from __future__ import annotations

import socket
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from stack.errors import StackError
from stack.native.process import Process, spawn, stop

_POLL_SECONDS = 0.1
_ANSWER_SECONDS = 2.0
_TOLD_LINES = 15
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback is never behind a proxy


@dataclass(frozen=True, slots=True)
class Launch:
    """A command with its environment, its log, and what tells that it is up.

    ``health`` is a URL: ``http://…`` must answer 200, ``tcp://…`` must accept a connection.
    """

    name: str
    command: tuple[str, ...]
    health: str
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    start_seconds: float = 30.0
    stop_seconds: float = 10.0


def start(launch: Launch) -> Process:
    """Start the component; it is not healthy yet."""
    return spawn(launch.command, launch.environment, launch.log)


def wait_until_healthy(launch: Launch, process: Process) -> None:
    """Return when the component answers; raise StackError with its log's end when it does not.

    A component that did not come up in time is stopped first.
    """
    deadline = time.monotonic() + launch.start_seconds
    while not is_healthy(launch.health):
        if not process.is_alive():
            raise StackError(
                f"{launch.name} ended while starting; its log ({launch.log}) says:\n{tail(launch)}"
            )
        if time.monotonic() > deadline:
            stop(process, launch.stop_seconds)
            raise StackError(
                f"{launch.name} was not healthy within {launch.start_seconds:.0f} s; "
                f"its log ({launch.log}) says:\n{tail(launch)}"
            )
        time.sleep(_POLL_SECONDS)


def is_healthy(health: str) -> bool:
    """Return whether the health URL answers as it should."""
    address = urllib.parse.urlsplit(health)
    try:
        if address.scheme == "tcp":
            socket.create_connection((address.hostname or "", address.port or 0), _ANSWER_SECONDS).close()
            return True
        with _DIRECT.open(health, timeout=_ANSWER_SECONDS) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:  # not listening yet, or 503 while it loads
        return False


def tail(launch: Launch) -> str:
    """Return the last lines of the component's log."""
    try:
        return "\n".join(launch.log.read_text(errors="replace").splitlines()[-_TOLD_LINES:])
    except FileNotFoundError:
        return "(no log)"
