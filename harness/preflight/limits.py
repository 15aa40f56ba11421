"""What this machine allows, as values: read by ``machine``, judged by ``judge``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """This machine. None: there is no such limit here, or it cannot be read.

    ``open_files`` is the most that one process may be given, ``open_files_system`` all of them together.
    ``memory_bytes`` can still be taken. ``time_wait_seconds`` is for how long a closed connection keeps its
    port. ``foreign_sources`` are those of the scenario's source addresses that are not this machine's.
    """

    open_files: int
    cores: int
    open_files_system: int | None = None
    local_ports: int | None = None
    listen_backlog: int | None = None
    memory_bytes: int | None = None
    tcp_memory_bytes: int | None = None
    conntrack_free: int | None = None
    time_wait_seconds: float = 60.0
    foreign_sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetHere:
    """A target that runs on this machine, and so shares its limits.

    ``processes`` accept connections at its port, through ``listeners`` sockets; 0 where that cannot be told.
    """

    processes: int
    listeners: int
    loopback: bool
