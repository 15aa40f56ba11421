"""Ask and wait: the same client for a greenlet that wants one answer at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event

from harness.load.lag import Ticker
from harness.load.transport import AnyCall, Transport
from harness.measure.record import RequestRecord
from harness.workload import Ask


class ClosedLoop:
    """A client with a clock of its own. ``zero_ns`` is where its records' instants count from.

    The intended time of a request is the time it is sent: a closed loop has no schedule to be late for.
    """

    def __init__(self, transport: Transport) -> None:
        loop: Any = gevent.get_hub().loop
        self._client, self._calls = transport
        self._ticker = Ticker(loop, self._client.tick)
        self._ticker.start()
        self.zero_ns = time.monotonic_ns()

    def ask(self, ask: Ask, seq: int, stage: int = 0, worker: int = 0) -> tuple[RequestRecord, str]:
        """Send one request and wait for its end; return its record and its text, where texts are kept."""
        finished = gevent.event.Event()
        call = self._calls.make(ask, seq, stage, time.monotonic_ns(), _ignore, _setter(finished))
        self._client.submit(call)
        try:
            finished.wait()
        finally:
            self._client.cancel(call)  # a greenlet that is killed while it waits takes its request along
        assert call.sent_ns is not None or call.exchange.outcome is not None
        call.intended_ns = call.sent_ns or call.intended_ns
        return call.to_record(worker, self.zero_ns), "".join(call.exchange.pieces or ())

    def close(self) -> None:
        """Close every connection."""
        self._client.close()
        self._ticker.stop()


def _ignore(_gap_ns: int) -> None:
    """Closed loops keep a request's longest gap, not every one."""


def _setter(event: Any) -> Callable[[AnyCall], None]:
    return lambda _call: event.set()
