"""The master looks at its machine once a second and at the target every few, and keeps when most was open."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent

from harness.measure.open_streams import FILE, MachineLevels, MachineReport
from harness.scenario.model import Target
from harness.telemetry.target import read_levels

_PERIOD_SECONDS = 1.0
_TARGET_EVERY = 5
"""The target counts its sockets for each answer: it is asked less often, and when all are open."""
_STEADY = 1.01


@contextmanager
def watched_machine(target: Target, run_dir: Path) -> Iterator[None]:
    """Watch while the load goes on, and leave ``machine.json`` in the run's folder."""
    watch = _MachineWatch(target)
    watching: Any = gevent.spawn(watch.run)
    try:
        yield
    finally:
        watching.kill()
        (run_dir / FILE).write_text(json.dumps(watch.report().to_dict(), indent=1) + "\n")


class _MachineWatch:
    def __init__(self, target: Target) -> None:
        self._target = target
        self._began = time.monotonic()
        self._tells = True
        self._sockets_when_asked = 0
        self._before = self._with_target(self._look())
        self._peak = self._before

    def run(self) -> None:
        sockets, turn = 0, 0
        while True:
            gevent.sleep(_PERIOD_SECONDS)
            turn += 1
            levels, before = self._look(), sockets
            sockets = levels.tcp_sockets or 0
            if turn % _TARGET_EVERY == 0 or self._has_filled(before, sockets):
                levels = self._with_target(levels)
            if _fuller(levels, self._peak) and (levels.target_open is not None or not self._tells):
                self._peak = levels

    def report(self) -> MachineReport:
        return MachineReport(self._before, self._peak)

    def _has_filled(self, before: int, now: int) -> bool:
        """Say whether the number of connections rose since the target was asked, and rises no more."""
        return now <= before * _STEADY and now > self._sockets_when_asked * _STEADY

    def _look(self) -> MachineLevels:
        return MachineLevels(time.monotonic() - self._began, **_kernel_levels())

    def _with_target(self, levels: MachineLevels) -> MachineLevels:
        if not self._tells:
            return levels
        self._sockets_when_asked = levels.tcp_sockets or 0
        told = gevent.get_hub().threadpool.apply(read_levels, (self._target,))
        self._tells = told is not None
        if told is None:
            return levels
        return replace(levels, target_open=told.running, target_bytes=told.resident_bytes)


def _fuller(levels: MachineLevels, other: MachineLevels) -> bool:
    """Compare by what the target counts, where it does: other programs have sockets here as well."""
    if levels.target_open is not None and other.target_open is not None:
        return levels.target_open >= other.target_open
    return (levels.tcp_sockets or 0) >= (other.tcp_sockets or 0)


def _kernel_levels() -> dict[str, int | None]:
    """Read sockets and memory from /proc; an unknown one is None."""
    memory = _table("/proc/meminfo")
    sockets, buffers = _tcp()
    slab = memory.get("Slab")
    kernel = None if slab is None or buffers is None else slab * 1024 + buffers
    available = memory.get("MemAvailable")
    return {
        "tcp_sockets": sockets,
        "kernel_bytes": kernel,
        "available_bytes": None if available is None else available * 1024,
    }


def _tcp() -> tuple[int | None, int | None]:
    """Return (TCP sockets in use, bytes in their buffers)."""
    with suppress(OSError, StopIteration):
        lines = map(str.split, Path("/proc/net/sockstat").read_text().splitlines())
        words = next(line for line in lines if line[0] == "TCP:")
        values = dict(zip(words[1::2], map(int, words[2::2]), strict=True))
        return values["inuse"], values["mem"] * resource.getpagesize()
    return None, None


def _table(path: str) -> dict[str, int]:
    with suppress(OSError):
        lines = map(str.split, Path(path).read_text().splitlines())
        return {words[0].rstrip(":"): int(words[1]) for words in lines}
    return {}
