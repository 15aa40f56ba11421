"""Read this machine's limits, and whether the target runs on it. Only reads; binds a socket for a moment."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from harness.preflight.limits import Limits, TargetHere
from harness.scenario.model import Target
from harness.scenario.source_addresses import expand

_SYSCTL = Path("/proc/sys")
_CGROUPS = Path("/sys/fs/cgroup")
_LISTENING = "0A"
_FIRST_FILES = 64
_UNLIMITED = 1 << 60  # a cgroup without a limit says a number near 2^63


def read_limits(target: Target) -> Limits:
    """Return the limits here; ``target`` names the source addresses that are tried."""
    low, high = _numbers("net/ipv4/ip_local_port_range") or (0, -1)
    tcp_memory_pages = _numbers("net/ipv4/tcp_mem")
    return Limits(
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        cores=len(os.sched_getaffinity(0)),
        open_files_system=_number("fs/file-max"),
        local_ports=high - low + 1 if high >= low else None,
        listen_backlog=_number("net/core/somaxconn"),
        memory_bytes=_memory_bytes(),
        tcp_memory_bytes=tcp_memory_pages[2] * resource.getpagesize() if tcp_memory_pages else None,
        conntrack_free=_conntrack_free(),
        time_wait_seconds=_time_wait_seconds(target),
        foreign_sources=tuple(_foreign(expand(target.source_addresses or ()))),
    )


def find_target(target: Target) -> TargetHere | None:
    """Return what of the target is on this machine; None where it runs elsewhere, or cannot be resolved."""
    parts = urlsplit(target.url or "")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = _resolved(parts.hostname or "", port)
    if not addresses or not all(map(_is_ours, addresses)):
        return None
    inodes = _listening_inodes(port)
    processes = max(len(inodes), _holders(inodes))
    return TargetHere(processes, len(inodes), all(map(_is_loopback, addresses)))


def _resolved(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(address[0]) for *_, address in found]


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _is_ours(address: str) -> bool:
    """Try to bind: that works for this machine's addresses only."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _foreign(sources: tuple[str, ...]) -> Iterator[str]:
    """Try the first and the last: networks and ranges are whole."""
    for address in dict.fromkeys(sources[:1] + sources[-1:]):
        if not _is_ours(address):
            yield address


def _listening_inodes(port: int) -> set[str]:
    """Return the inodes of the sockets that listen at ``port``, from the kernel's table."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError), Path(table).open() as lines:
            for fields in map(str.split, lines):
                if fields[3:4] == [_LISTENING] and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(fields[9])
    return inodes


def _holders(inodes: set[str]) -> int:
    """Count the processes that hold one of the sockets: a parent and its children may share one listener."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return sum(_holds(process, wanted) for process in Path("/proc").glob("[0-9]*")) if wanted else 0


def _holds(process: Path, wanted: set[str]) -> bool:
    """Look at the first descriptors only: a server opens its listeners before its connections."""
    with suppress(OSError):
        for number in range(_FIRST_FILES):
            with suppress(FileNotFoundError):
                if str((process / "fd" / str(number)).readlink()) in wanted:
                    return True
    return False


def _memory_bytes() -> int | None:
    """Return what can still be taken: of the machine, and of every cgroup that holds us."""
    found = [_mem_available(), *_cgroup_free()]
    known = [free for free in found if free is not None]
    return min(known, default=None)


def _mem_available() -> int | None:
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _cgroup_free() -> Iterator[int]:
    """Yield what each cgroup above us leaves, in version 2's names and in version 1's."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            yield from _free_above(_CGROUPS / "memory", path, *names)
        elif not controllers:
            yield from _free_above(_CGROUPS, path, "memory.max", "memory.current")


def _free_above(root: Path, path: str, limit_name: str, used_name: str) -> Iterator[int]:
    folder = root / path.strip("/")
    for place in (folder, *folder.parents):
        with suppress(OSError, ValueError):
            limit = int((place / limit_name).read_text())  # "max" is no number, and no limit
            if limit < _UNLIMITED:
                yield max(0, limit - int((place / used_name).read_text()))
        if place == root:
            return


def _conntrack_free() -> int | None:
    """Return the free entries; None where nothing is tracked, as over loopback without rules."""
    most, used = _number("net/netfilter/nf_conntrack_max"), _number("net/netfilter/nf_conntrack_count")
    return most - used if most is not None and used else None


def _time_wait_seconds(target: Target) -> float:
    """Return how long a closed connection keeps its port: a minute, or a second where that may be reused."""
    reuse = _number("net/ipv4/tcp_tw_reuse") or 0
    host = urlsplit(target.url or "").hostname or ""
    loopback = host == "localhost" or _is_loopback(host)
    return 1.0 if reuse == 1 or (reuse == 2 and loopback) else 60.0


def _number(name: str) -> int | None:
    numbers = _numbers(name)
    return numbers[0] if numbers else None


def _numbers(name: str) -> tuple[int, ...]:
    with suppress(OSError, ValueError):
        return tuple(map(int, (_SYSCTL / name).read_text().split()))
    return ()
