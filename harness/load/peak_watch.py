"""A worker looks at itself once a second: how many streams are open, and its memory at their peak."""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent

from harness.measure.worker_report import Peak

_PERIOD_SECONDS = 1.0
_ROLLUP = Path("/proc/self/smaps_rollup")
_STATM = Path("/proc/self/statm")


class PeakWatch:
    """``begin`` before the load, ``end`` after it; in between a greenlet looks."""

    def __init__(self, in_flight: Callable[[], int]) -> None:
        self._in_flight = in_flight
        self._before_bytes = 0
        self._peak: Peak | None = None
        self._watching: Any = None

    def begin(self) -> None:
        """Note the memory of an idle worker, and watch from now on."""
        self._before_bytes = resident_bytes()
        self._watching = gevent.spawn(self._watch)

    def end(self) -> Peak | None:
        """Return the peak; None where nothing was seen."""
        if self._watching is not None:
            self._watching.kill()
        return self._peak

    def look(self) -> None:
        """Take this instant, if as many streams are open as ever: later is fuller, for buffers grow."""
        open_now = self._in_flight()
        if self._peak is None or open_now >= self._peak.in_flight:
            self._peak = Peak(open_now, self._before_bytes, resident_bytes(), proportional_bytes())

    def _watch(self) -> None:
        while True:
            self.look()
            gevent.sleep(_PERIOD_SECONDS)


def resident_bytes() -> int:
    """Return this process' resident memory now."""
    with suppress(OSError):
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def proportional_bytes() -> int | None:
    """Return this process' share of its memory, where pages that several hold count in part."""
    with suppress(OSError):
        for line in _ROLLUP.read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return None
