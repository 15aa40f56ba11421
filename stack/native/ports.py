"""Ports that are free now, and that the kernel gives to nobody else before a slow server binds them."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from stack.errors import StackError
from stack.native.site import HOST

_LOWEST = 10_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """Return a free port for each name, all different.

    None is in the range that outgoing connections take theirs from: a load test takes thousands of those
    while Elasticsearch is still starting, and again while it is stopped.
    """
    found = _free_now()
    return {name: next(found) for name in names}


def is_free(port: int) -> bool:
    """Return whether nothing listens on the port (a connection of a server that just ended may linger)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_now() -> Iterator[int]:
    first_ephemeral = int(_EPHEMERAL.read_text().split()[0])
    candidates = range(_LOWEST, max(first_ephemeral, _LOWEST + 1))
    yield from filter(is_free, random.sample(candidates, len(candidates)))
    raise StackError(f"no port is free between {_LOWEST} and {first_ephemeral}")
