"""How late the event loop runs: every 10 ms it should come round to us."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.load.timer import TimerFd
from harness.measure.histogram import LogHistogram

PERIOD_NS = 10_000_000


class Ticker:
    """Calls ``on_tick(now_ns)`` every 10 ms and counts into ``lag`` by how much each tick came late.

    A loop that stood still for a second owes 100 ticks. All are counted, each with its own lateness; a single
    late sample would hide the pause behind the ticks that went well.
    """

    __slots__ = ("_due_ns", "_on_tick", "_timer", "lag")

    def __init__(self, loop: Any, on_tick: Callable[[int], None]) -> None:
        self.lag = LogHistogram()
        self._on_tick = on_tick
        self._timer = TimerFd(loop, self._expired)
        self._due_ns = 0

    def start(self) -> None:
        """Begin; the first tick is due one period from now."""
        self._due_ns = time.monotonic_ns() + PERIOD_NS
        self._timer.arm(self._due_ns, PERIOD_NS)

    def stop(self) -> None:
        """End; ``lag`` stays readable."""
        self._timer.close()

    def _expired(self, expirations: int) -> None:
        now_ns = time.monotonic_ns()
        if expirations == 1:
            self.lag.add(now_ns - self._due_ns)
        else:
            due_ns = self._due_ns + np.arange(expirations, dtype=np.int64) * PERIOD_NS
            self.lag.add_many(now_ns - due_ns)
        self._due_ns += expirations * PERIOD_NS
        self._on_tick(now_ns)
