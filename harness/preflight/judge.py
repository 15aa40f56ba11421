"""The preflight itself: a need against limits, and for each that is short the command that mends it.

Pure arithmetic. The sizes were measured, and are the least that a stream takes: what is refused would fail
for certain. A report shows those of its own run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from harness.preflight.limits import Limits, TargetHere
from harness.preflight.need import Need

FILES_KEPT = 200
"""Descriptors of a process that are no streams: libraries, pipes, files, the loop's own."""
CLIENT_BYTES_PER_STREAM = 1_024
KERNEL_BYTES_PER_SOCKET = 5_120
"""Slab of an established TCP socket with its file: half of what one stream over loopback takes."""
CONNECTIONS_PER_THREAD = 19_000
"""How many a thread of the compiled core takes before another one begins."""
TARGET_BYTES_PER_STREAM = 2_048
"""A lean server's; the reference target takes four times as much."""
TCP_BUFFER_BYTES_PER_STREAM = 1_024
WORKER_BYTES = 120 << 20
BYTES_PER_REQUEST = 200
"""Plan and record of a request, until the record is written."""
_FULL_SHARE = 0.8
"""A port range that is nearly full costs the kernel a long search for each connection."""
_SENDS_PER_SECOND = 10_000
_LIKELY_DEVIATIONS = 4.0

Weight = Literal["fine", "warn", "refuse"]


@dataclass(frozen=True, slots=True)
class Check:
    """One limit. ``weight``: whether the run would fail of it. ``remedy`` is a command, or a key to set."""

    subject: str
    needed: str
    here: str
    weight: Weight = "fine"
    remedy: str = ""


def judge(need: Need, limits: Limits, workers: int, target: TargetHere | None) -> tuple[Check, ...]:
    """Return every check. ``workers`` run on this machine; ``target`` None: it runs on another one."""
    checks = (
        _files_of_a_worker(need, limits, workers),
        _files_of_the_target(need, limits, target),
        _files_of_the_system(need, limits, target),
        _ports(need, limits, target),
        _sources(limits),
        _backlog(need, limits, target),
        _memory(need, limits, workers, target),
        _tcp_memory(need, limits, target),
        _tracked(need, limits),
    )
    return tuple(check for each in checks for check in each)


def refusals(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return the checks for which a run must not begin."""
    return tuple(check for check in checks if check.weight == "refuse")


def workers_for(need: Need, limits: Limits) -> int:
    """Return how many load processes the need takes: by descriptors, and by the rate that one can send.

    More than the cores only where the descriptors demand it: an idle stream costs no processor.
    """
    lifted = need.threaded and _usable(limits) >= CONNECTIONS_PER_THREAD
    by_files = 1 if lifted else math.ceil(need.connections / _usable(limits))
    by_rate = math.ceil(need.per_second / _SENDS_PER_SECOND)
    return max(1, by_files, min(by_rate, limits.cores))


def processes_for(connections: int, limits: Limits) -> int:
    """Return how many processes behind one port hold ``connections``, which the kernel spreads by chance."""
    processes = max(1, math.ceil(connections / _usable(limits)))
    while _fullest(connections, processes) > _usable(limits):
        processes += 1
    return processes


def _usable(limits: Limits) -> int:
    return max(1, limits.open_files - FILES_KEPT)


def _fullest(connections: int, processes: int) -> int:
    """Return what the fullest of the processes gets, by all likelihood: mean + 4 standard deviations."""
    share = 1 / processes
    return math.ceil(connections * share + _LIKELY_DEVIATIONS * math.sqrt(connections * share * (1 - share)))


def _files_of_a_worker(need: Need, limits: Limits, workers: int) -> Iterator[Check]:
    if not workers:
        return
    each = math.ceil(need.connections / workers)
    threads = math.ceil(each / CONNECTIONS_PER_THREAD) if need.threaded else 1
    files = math.ceil(each / threads) + FILES_KEPT
    short = files > limits.open_files
    remedy = f"--workers {workers_for(need, limits)}" if short else ""
    holders = f"{threads} threads of {workers}" if threads > 1 else str(workers)
    needed = f"{files:,} in each of {holders}"
    yield Check("open files, workers", needed, f"{limits.open_files:,}", _refused(short), remedy)


def _files_of_the_target(need: Need, limits: Limits, target: TargetHere | None) -> Iterator[Check]:
    if target is None or not target.processes:
        return
    files = _fullest(need.connections, target.processes) + FILES_KEPT
    short = files > limits.open_files
    processes = processes_for(need.connections, limits)
    remedy = f"tidegate-target serve --processes {processes}, or as many processes of your server" * short
    needed = f"{files:,} in each of {target.processes}"
    yield Check("open files, target", needed, f"{limits.open_files:,}", _refused(short), remedy)


def _files_of_the_system(need: Need, limits: Limits, target: TargetHere | None) -> Iterator[Check]:
    if limits.open_files_system is None:
        return
    files = need.connections * _ends(target)
    short = files > limits.open_files_system
    remedy = f"sysctl -w fs.file-max={_round_up(files)}" * short
    yield Check("open files, all", f"{files:,}", f"{limits.open_files_system:,}", _refused(short), remedy)


def _ports(need: Need, limits: Limits, target: TargetHere | None) -> Iterator[Check]:
    if limits.local_ports is None:
        return
    ports = max(need.connections, need.closing)
    sources = max(1, need.sources)
    each = math.ceil(ports / sources)
    short = each > limits.local_ports
    tight = each > limits.local_ports * _FULL_SHARE
    remedy = _more_ports(ports, limits, target) if tight else ""
    weight: Weight = "refuse" if short else "warn" if tight else "fine"
    needed = f"{each:,} of each of {sources} source address{'es' if sources > 1 else ''}"
    yield Check("local ports", needed, f"{limits.local_ports:,}", weight, remedy)


def _more_ports(ports: int, limits: Limits, target: TargetHere | None) -> str:
    addresses = math.ceil(ports / ((limits.local_ports or 1) * _FULL_SHARE))
    if target is not None and target.loopback:
        bits = max(2, math.ceil(math.log2(addresses + 2)))  # without a network's first and last address
        return f"target.source_addresses: 127.0.{0 if bits > 8 else 1}.0/{32 - bits}"
    wider = 'sysctl -w net.ipv4.ip_local_port_range="1024 65535"'
    return f"{wider}, or target.source_addresses with {addresses} addresses of this machine"


def _sources(limits: Limits) -> Iterator[Check]:
    if limits.foreign_sources:
        first = limits.foreign_sources[0]
        listed = ", ".join(limits.foreign_sources)
        remedy = f"ip address add {first} dev INTERFACE, or other target.source_addresses"
        yield Check("source addresses", "addresses of this machine", f"{listed} are not", "refuse", remedy)


def _backlog(need: Need, limits: Limits, target: TargetHere | None) -> Iterator[Check]:
    if limits.listen_backlog is None or target is None:
        return
    waiting = math.ceil(need.in_a_burst / max(1, target.listeners))
    short = waiting > limits.listen_backlog
    remedy = f"sysctl -w net.core.somaxconn={_round_up(waiting)} and restart the target" * short
    needed = f"{waiting:,} connections within 100 ms at each of {max(1, target.listeners)}"
    yield Check("listen backlog", needed, f"{limits.listen_backlog:,}", _refused(short), remedy)


def _memory(need: Need, limits: Limits, workers: int, target: TargetHere | None) -> Iterator[Check]:
    if limits.memory_bytes is None:
        return
    per_stream = CLIENT_BYTES_PER_STREAM + KERNEL_BYTES_PER_SOCKET * _ends(target)
    per_stream += TARGET_BYTES_PER_STREAM if target is not None else 0
    fixed = workers * WORKER_BYTES + need.requests * BYTES_PER_REQUEST
    wanted = fixed + need.streams * per_stream
    short = wanted > limits.memory_bytes
    most = max(0, (limits.memory_bytes - fixed) // per_stream)
    remedy = f"max_in_flight: {most}, or more machines: tidegate run --master" * short
    needed = f"{size(wanted)} ({size(per_stream)} a stream)"
    yield Check("memory", needed, f"{size(limits.memory_bytes)} available", _refused(short), remedy)


def _tcp_memory(need: Need, limits: Limits, target: TargetHere | None) -> Iterator[Check]:
    if limits.tcp_memory_bytes is None:
        return
    wanted = need.connections * TCP_BUFFER_BYTES_PER_STREAM * _ends(target)
    tight = wanted > limits.tcp_memory_bytes
    pages = _round_up(2 * wanted // 4096)
    remedy = f'sysctl -w net.ipv4.tcp_mem="{pages // 2} {pages * 3 // 4} {pages}"' * tight
    weight: Weight = "warn" if tight else "fine"  # beyond it connections get slow, not impossible
    yield Check("TCP buffers", size(wanted), size(limits.tcp_memory_bytes), weight, remedy)


def _tracked(need: Need, limits: Limits) -> Iterator[Check]:
    if limits.conntrack_free is None:
        return
    wanted = max(need.connections, need.closing)
    short = wanted > limits.conntrack_free
    remedy = f"sysctl -w net.netfilter.nf_conntrack_max={_round_up(2 * wanted)}" * short
    needed, here = f"{wanted:,} tracked connections", f"{limits.conntrack_free:,} free"
    yield Check("connection tracking", needed, here, _refused(short), remedy)


def _ends(target: TargetHere | None) -> int:
    """Return how many ends of a connection are on this machine."""
    return 1 if target is None else 2


def size(size_bytes: float) -> str:
    """Return a size for people, in GiB, MiB or KiB."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:.1f} {name}"
    return f"{size_bytes / 1024:.1f} KiB"


def _refused(short: bool) -> Weight:
    return "refuse" if short else "fine"


def _round_up(number: int) -> int:
    """Return the next power of two: limits are set once, with room."""
    return 1 << max(0, math.ceil(math.log2(max(1, number))))
