"""The open loop: send every arrival when it is due, whatever became of the ones before."""

from __future__ import annotations

import logging
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import gevent.event
import numpy as np

from harness.arrivals.plan import Plan
from harness.load.calls import Asks
from harness.load.counts import EndedTtft, EngineStats
from harness.load.gaps import GapRecorder
from harness.load.lag import Ticker
from harness.load.timer import TimerFd
from harness.load.transport import AnyCall, AnyCalls, AnySender
from harness.measure.histogram import LogHistogram
from harness.measure.reception import Reception
from harness.measure.record import Outcome, RequestRecord
from harness.measure.record_batch import RecordBatch

_log = logging.getLogger(__name__)
TURN_NS = 4_000_000
"""How long one turn of the loop may send: of a thousand arrivals due at once, the answers of the first must
be read before the last is sent."""
_CANCEL_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """``drain_seconds``: how long after the last due time open calls may go on."""

    worker: int
    stages: int
    max_in_flight: int
    drain_seconds: float


class PortableEngine:
    """Sends a worker's slice of the plan; ends every planned arrival in exactly one record.

    ``on_records`` and the ``listeners`` take the records in batches every 10 ms, from the hub: they must not
    wait. ``finished`` is set when the last record is out. ``fault`` is the bug or broken
    workload that ended the run early, if one did.
    """

    def __init__(
        self,
        settings: EngineSettings,
        plan: Plan,
        asks: Asks,
        calls: AnyCalls,
        client: AnySender,
        on_records: Callable[[RecordBatch], None],
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._asks = asks
        self._calls = calls
        self._client = client
        self._on_records = on_records
        self._loop: Any = gevent.get_hub().loop
        self._gaps = GapRecorder(settings.stages)
        self._ticker = Ticker(self._loop, self._on_tick)
        self._timer = TimerFd(self._loop, self._on_due)
        self._due_ns: array[int] = array("q")
        self._next = 0
        self._prepared: AnyCall | None = None
        self._zero_ns = 0
        self._drain_until_ns: int | None = None
        self._stopping = False
        self._unreported: list[RequestRecord] = []
        self._stats = EngineStats(planned=len(plan))
        self._ttft = EndedTtft()
        self.listeners: list[Callable[[RecordBatch], None]] = []
        self.finished = gevent.event.Event()
        self.fault: BaseException | None = None

    @property
    def loop_lag(self) -> LogHistogram:
        """The event loop's lateness."""
        return self._ticker.lag

    @property
    def ttft(self) -> LogHistogram:
        """First token − due, of the requests that have ended."""
        return self._ttft.histogram

    @property
    def itl(self) -> tuple[LogHistogram, ...]:
        """The gaps between tokens, per stage."""
        self._gaps.flush(at=1)
        return self._gaps.histograms

    @property
    def reception(self) -> Reception:
        """How the times of arrival were learned."""
        return self._client.reception

    def stats(self) -> EngineStats:
        """Return the live counters (the object itself: copy what you keep)."""
        self._report()
        self._stats.in_flight = self._client.in_flight
        self._stats.reconnects = self._client.reconnects
        self._stats.offered = self._next
        return self._stats

    def start(self, zero_ns: int) -> None:
        """Begin; offset 0 of the plan is at ``zero_ns`` on this process's monotonic clock."""
        self._zero_ns = zero_ns
        due_ns = zero_ns + np.round(self._plan.offsets_seconds * 1e9).astype(np.int64)
        self._due_ns.frombytes(due_ns.tobytes())
        self._ticker.start()
        self._guard(self._arm_next)

    def stop(self) -> None:
        """End now: open calls and arrivals that are not yet due become CANCELLED records."""
        if self._stopping or self.finished.is_set():
            return
        self._stopping = True
        self._timer.close()
        self._client.cancel_all()
        gevent.spawn(self._cancel_rest)

    def _on_due(self, _expirations: int) -> None:
        self._guard(self._send_due)

    def _guard(self, step: Callable[[], None]) -> None:
        """Run a step in the hub, where an exception would be printed and forgotten: end the run instead."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must spoil the run, not vanish
            _log.error("the load engine failed", exc_info=error)
            self.fault = error
            self.stop()

    def _send_due(self) -> None:
        now_ns = time.monotonic_ns()
        until_ns = now_ns + TURN_NS
        while self._next < len(self._due_ns) and self._due_ns[self._next] <= now_ns < until_ns:
            self._send(self._next)
            self._next += 1
            self._prepared = None
            now_ns = time.monotonic_ns()
        if not self._stopping:
            self._arm_next()

    def _arm_next(self) -> None:
        if self._next < len(self._due_ns):
            due_ns = self._due_ns[self._next]
            if due_ns > time.monotonic_ns():  # use the wait to get the next request ready
                self._prepared = self._make(self._next)
            self._timer.arm(due_ns)
        else:
            self._begin_drain()

    def _send(self, index: int) -> None:
        if self._client.in_flight >= self._settings.max_in_flight:
            self._emit(self._unsent(index, Outcome.DROPPED, "max_in_flight"))
        else:
            self._client.submit(self._prepared or self._make(index))

    def _make(self, index: int) -> AnyCall:
        plan = self._plan
        seq, stage = int(plan.seq[index]), int(plan.stage[index])
        ask = self._asks.ask(seq, stage, _at(plan.input_tokens, index), _at(plan.output_tokens, index))
        return self._calls.make(ask, seq, stage, self._due_ns[index], self._gaps.taker(stage), self._on_done)

    def _on_done(self, call: AnyCall) -> None:
        self._emit(call.to_record(self._settings.worker, self._zero_ns))
        if self._drain_until_ns is not None and not self._client.in_flight:
            self._finish()

    def _unsent(self, index: int, outcome: Outcome, reason: str | None) -> RequestRecord:
        seq = int(self._plan.seq[index])
        trace, sampled = self._calls.trace(seq)
        return RequestRecord(
            seq=seq,
            worker=self._settings.worker,
            stage=int(self._plan.stage[index]),
            trace_id=trace,
            sampled=sampled,
            intended_ns=self._due_ns[index] - self._zero_ns,
            outcome=outcome,
            end_ns=time.monotonic_ns() - self._zero_ns,
            error_type=reason,
            input_tokens=_at(self._plan.input_tokens, index) or 0,
            max_tokens=_at(self._plan.output_tokens, index) or 0,
        )

    def _emit(self, record: RequestRecord) -> None:
        self._unreported.append(record)

    def _on_tick(self, now_ns: int) -> None:
        self._guard(lambda: self._tick(now_ns))

    def _tick(self, now_ns: int) -> None:
        self._client.tick(now_ns)
        self._gaps.flush()
        self._report()
        if self._drain_until_ns is not None and now_ns >= self._drain_until_ns:
            self.stop()

    def _report(self) -> None:
        if self._unreported:
            batch = RecordBatch.from_records(self._unreported, self._settings.worker)
            self._unreported = []
            for take in (self._stats.count, self._ttft.take, self._on_records, *self.listeners):
                take(batch)

    def _begin_drain(self) -> None:
        self._drain_until_ns = time.monotonic_ns() + int(self._settings.drain_seconds * 1e9)
        if not self._client.in_flight:
            self._finish()

    def _cancel_rest(self) -> None:
        while self._next < len(self._due_ns):
            index = self._next
            self._next += 1
            self._emit(self._unsent(index, Outcome.CANCELLED, "not sent when the run was stopped"))
            if index % _CANCEL_CHUNK == 0:
                gevent.sleep(0)
        self._finish()

    def _finish(self) -> None:
        if not self.finished.is_set():
            self._timer.close()
            self._ticker.stop()
            self._report()
            self._client.close()
            self.finished.set()


def _at(values: Any, index: int) -> int | None:
    return None if values is None else int(values[index])
