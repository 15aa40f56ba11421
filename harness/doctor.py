"""What this machine can carry, and how to raise it."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_BACKLOG = Path("/proc/sys/net/core/somaxconn")
_CLOCK_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
_SLOW_CLOCKS = ("hpet", "acpi_pm")
_FILES_KEPT_FOR_OTHERS = 200
_COMFORTABLE_CONNECTIONS = 10_000
_COMFORTABLE_BACKLOG = 4096
_CLOCK_READINGS = 20_000
_SLOW_CLOCK_READ_SECONDS = 1e-6


@dataclass(frozen=True, slots=True)
class Finding:
    """One limit: what it is here, what it means, and how to raise it ("" where it is fine)."""

    subject: str
    value: str
    meaning: str
    advice: str = ""


def examine() -> tuple[Finding, ...]:
    """Read this machine's limits. Only reads, in well under a second."""
    return tuple(_findings())


def _findings() -> Iterator[Finding]:
    yield _open_files()
    yield from _ports()
    yield _cores()
    yield from _listen_backlog()
    yield _clock()
    yield from _clock_source()


def _open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    usable = max(soft - _FILES_KEPT_FOR_OTHERS, 0)
    advice = ""
    if usable < _COMFORTABLE_CONNECTIONS:
        advice = f"ulimit -n {hard}" if hard > soft else "raise nofile in /etc/security/limits.conf"
    meaning = f"one worker holds at most {usable:,} open connections; more workers hold more"
    return Finding("open files per process", f"{soft:,} (hard limit {hard:,})", meaning, advice)


def _ports() -> Iterator[Finding]:
    if not _PORT_RANGE.exists():
        return
    low, high = map(int, _PORT_RANGE.read_text().split())
    count = high - low + 1
    advice = "" if count >= _COMFORTABLE_CONNECTIONS else 'sysctl net.ipv4.ip_local_port_range="1024 65535"'
    meaning = f"at most {count:,} connections from one source address to one target address and port"
    yield Finding("local ports", f"{low} to {high}", meaning, advice)


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    advice = "" if cores > 1 else "run the target on another machine: one core cannot serve and measure"
    meaning = f"up to {max(cores - 1, 1)} workers beside a target on this machine, {cores} without one"
    return Finding("cores", str(cores), meaning, advice)


def _listen_backlog() -> Iterator[Finding]:
    if not _BACKLOG.exists():
        return
    backlog = int(_BACKLOG.read_text())
    advice = "" if backlog >= _COMFORTABLE_BACKLOG else f"sysctl net.core.somaxconn={_COMFORTABLE_BACKLOG}"
    meaning = f"a target on this machine lets {backlog:,} connections wait to be accepted"
    yield Finding("listen backlog", f"{backlog:,}", meaning, advice)


def _clock() -> Finding:
    begin = time.perf_counter()
    for _ in range(_CLOCK_READINGS):
        time.monotonic_ns()
    seconds = (time.perf_counter() - begin) / _CLOCK_READINGS
    advice = "" if seconds < _SLOW_CLOCK_READ_SECONDS else "use the tsc or kvm-clock clock source"
    return Finding("clock", f"{seconds * 1e9:.0f} ns a reading", "each token is stamped by a reading", advice)


def _clock_source() -> Iterator[Finding]:
    if sys.platform != "linux" or not _CLOCK_SOURCE.exists():
        return
    source = _CLOCK_SOURCE.read_text().strip()
    advice = "boot with clocksource=tsc" if source in _SLOW_CLOCKS else ""
    yield Finding("clock source", source, "where the kernel's time comes from", advice)
