"""uvicorn as we need it: on a socket that already listens, and draining before it exits."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from types import FrameType

import uvicorn

from target_server.api.http import HttpConnection
from target_server.api.lifecycle import Lifecycle
from target_server.api.router import Router

_BACKLOG = 16384  # a flash sale opens thousands of connections within one turn of the loop
_KEEP_ALIVE_SECONDS = 75  # longer than clients keep idle connections: who closes first loses a race
_CLOSING_SECONDS = 2


class DrainingServer(uvicorn.Server):  # type: ignore[misc]  # uvicorn is untyped to mypy
    """The first SIGTERM or SIGINT begins a drain, a second one ends it.

    While draining, new connections are still accepted and told 503, because a refused connection looks like
    a crash. The process leaves when no answer is open, at the latest after ``grace_seconds``.
    """

    should_exit: bool

    def __init__(self, router: Router, lifecycle: Lifecycle, grace_seconds: float) -> None:
        config = uvicorn.Config(
            router,
            loop="uvloop",
            http=HttpConnection,
            interface="asgi3",
            proxy_headers=False,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_CLOSING_SECONDS,
            server_header=False,
        )
        super().__init__(config)
        self._lifecycle = lifecycle
        self._grace_seconds = grace_seconds
        self._deadline: float | None = None

    def drain(self) -> None:
        """Take no more work, and leave when what is open is done."""
        if self._lifecycle.draining:
            self._deadline = time.monotonic()
            return
        self._deadline = time.monotonic() + self._grace_seconds
        self._lifecycle.draining = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Drain. uvicorn would raise the signal again at the end, but a drained exit is a success."""
        self.drain()

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether the drain is over."""
        if self._deadline is not None:
            if time.monotonic() >= self._deadline:
                self._lifecycle.cut_open_answers()
            self.should_exit = self.should_exit or self._lifecycle.open_answers == 0
        leave: bool = await super().on_tick(counter)
        return leave


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a listening socket; port 0 takes a free one. Raises `OSError` when it is taken.

    Listeners that are ``shared`` may have the same port; the kernel gives each its part of the connections.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)  # from here on a connection waits instead of being refused
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL at which a bound socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def announce(engine: str, model: str, listener: socket.socket, port_file: Path | None) -> None:
    """Print the one line a person needs, and leave the port where a script looks for it.

    The file appears whole or not at all: who waits for it may read it at once.
    """
    print(f"tidegate-target: {engine} engine, model {model}, at {url_of(listener)}", flush=True)
    if port_file is not None:
        unfinished = port_file.with_name(port_file.name + ".part")
        unfinished.write_text(f"{listener.getsockname()[1]}\n")
        unfinished.replace(port_file)
