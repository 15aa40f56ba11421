"""The open loop over the compiled core: Python prepares requests and collects records, while threads that no
interpreter holds up send and read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import gevent
import gevent.event

from harness.arrivals.plan import Plan
from harness.core.engine import CoreEngine
from harness.load.calls import Asks
from harness.load.counts import EngineStats
from harness.load.native_lane import NativeLane
from harness.load.precedence import lift_interpreter
from harness.measure.histogram import LogHistogram
from harness.measure.reception import Reception
from harness.measure.record_batch import RecordBatch

_log = logging.getLogger(__name__)
_TURN_SECONDS = 0.004
_PERIOD_SECONDS = 0.01
_BEFORE_START_SECONDS = 0.3


class NativeEngine:
    """Sends a worker's slice of the plan; ends every planned arrival in exactly one record.

    Each of ``cores`` is fresh, and sends its part of the plan. ``on_records`` and the ``listeners`` take
    batches about every 10 ms, in a greenlet: they must not wait. ``finished`` is set when the last record is
    out. ``fault`` is the bug or broken workload that ended the run early, if one did.
    """

    def __init__(
        self,
        worker: int,
        stages: int,
        plan: Plan,
        asks: Asks,
        cores: Sequence[CoreEngine],
        run_id: str,
        sample_share: float,
        on_records: Callable[[RecordBatch], None],
    ) -> None:
        self.cores = cores
        self._stages = stages
        self._lanes = [
            NativeLane(core, plan.slice_for(number, len(cores)), asks, worker, run_id, sample_share)
            for number, core in enumerate(cores)
        ]
        self._on_records = on_records
        self._stats = EngineStats(planned=len(plan))
        self._stopping = False
        self.listeners: list[Callable[[RecordBatch], None]] = []
        self.finished = gevent.event.Event()
        self.fault: BaseException | None = None

    @property
    def loop_lag(self) -> LogHistogram:
        """The sending threads' lateness."""
        return _merged([core.lag() for core in self.cores])

    @property
    def ttft(self) -> LogHistogram:
        """First token − due, of every first token that has come."""
        return _merged([core.ttft() for core in self.cores])

    @property
    def itl(self) -> tuple[LogHistogram, ...]:
        """The gaps between tokens, per stage."""
        return tuple(_merged([core.itl(stage) for core in self.cores]) for stage in range(self._stages))

    @property
    def reception(self) -> Reception:
        """How the times of arrival were learned."""
        return Reception(*(self._count(field.name) for field in fields(Reception)))

    def stats(self) -> EngineStats:
        """Return the live counters (the object itself: copy what you keep)."""
        self._stats.in_flight = self._count("in_flight")
        self._stats.reconnects = self._count("reconnects")
        self._stats.offered = self._count("offered")
        return self._stats

    def start(self, zero_ns: int) -> None:
        """Begin; offset 0 of the plan is at ``zero_ns`` on this process's monotonic clock."""
        lift_interpreter(len(self.cores))
        for lane in self._lanes:
            lane.begin(zero_ns)
        self._guard(self._feed_for, _BEFORE_START_SECONDS)
        for core in self.cores:
            core.start()
        gevent.spawn(self._feed_to_the_end)
        gevent.spawn(self._collect)

    def stop(self) -> None:
        """End now: open calls and arrivals that are not yet due become CANCELLED records."""
        self._stopping = True
        for core in self.cores:
            core.stop()

    def _count(self, name: str) -> int:
        return sum(getattr(core.counters, name) for core in self.cores)

    def _guard(self, step: Callable[..., None], *arguments: Any) -> None:
        """Run a step where an exception would be printed and forgotten: end the run instead."""
        try:
            step(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must spoil the run, not vanish
            _log.error("the load engine failed", exc_info=error)
            self.fault = self.fault or error
            self.stop()

    def _feed_to_the_end(self) -> None:
        self._guard(self._feed_until_stopped)
        for lane in self._lanes:
            self._guard(lane.end)

    def _feed_until_stopped(self) -> None:
        while not self._stopping and any(lane.left for lane in self._lanes):
            self._feed_for(_TURN_SECONDS)
            gevent.sleep(0 if self._behind() else _PERIOD_SECONDS)

    def _feed_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._behind() and time.monotonic() < until:
            for lane in self._lanes:
                if lane.behind:
                    lane.feed_some()

    def _behind(self) -> bool:
        return any(lane.behind for lane in self._lanes)

    def _collect(self) -> None:
        while not all(core.counters.finished for core in self.cores):
            self._guard(self._hand_on)
            gevent.sleep(_PERIOD_SECONDS)
        for core in self.cores:
            core.join()
        self._guard(self._hand_on)
        self.finished.set()

    def _hand_on(self) -> None:
        for lane in self._lanes:
            batch = lane.take()
            if batch is not None:
                self._stats.count(batch)
                self._on_records(batch)
                for listener in self.listeners:
                    listener(batch)


def _merged(parts: Sequence[LogHistogram]) -> LogHistogram:
    whole = LogHistogram()
    for part in parts:
        whole.merge(part)
    return whole
