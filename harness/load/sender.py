"""What every client of calls does alike: the calls that are open, their end on demand, their timeouts."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, Generic, TypeVar

from harness.load.call import Call
from harness.load.stamped import ReadCounts
from harness.load.wheel import TimerWheel
from harness.measure.reception import Reception
from harness.measure.record import Outcome

CallT = TypeVar("CallT", bound=Call[Any, Any])
CarrierT = TypeVar("CarrierT")


class Sender(ABC, Generic[CallT, CarrierT]):
    """Sends calls to one endpoint. Nothing here waits; the caller calls ``tick`` about every 10 ms.

    ``submit`` ends in exactly one ``call.on_done(call)``, from the hub or, when it fails at once, before it
    returns. Each open call has a carrier: the connection, or its place on one. ``reconnects`` counts calls
    that a target surely had not processed and that were sent once more.
    """

    def __init__(self) -> None:
        self._wheel = TimerWheel(time.monotonic_ns())
        self._busy: dict[CallT, CarrierT] = {}
        self._good_address = 0
        self._reads = ReadCounts()
        self.reconnects = 0

    @property
    @abstractmethod
    def reception(self) -> Reception:
        """How the times of arrival were learned."""

    @property
    def in_flight(self) -> int:
        """How many calls are open."""
        return len(self._busy)

    @property
    def open_calls(self) -> Collection[CallT]:
        """The calls that are open now."""
        return self._busy.keys()

    @abstractmethod
    def submit(self, call: CallT) -> None:
        """Send ``call`` now."""

    def cancel(self, call: CallT) -> None:
        """End ``call`` as CANCELLED, if it is still open."""
        carrier = self._busy.get(call)
        if carrier is not None:
            self._fail(carrier, Outcome.CANCELLED, None)

    def cancel_all(self) -> None:
        """End every open call as CANCELLED."""
        for call in list(self._busy):
            self.cancel(call)

    def tick(self, now_ns: int) -> None:
        """Let timeouts pass."""
        self._wheel.advance(now_ns)

    @abstractmethod
    def close(self) -> None:
        """Cancel what is open and close every connection."""

    @abstractmethod
    def _fail(self, carrier: CarrierT, outcome: Outcome, reason: str | None) -> None:
        """End the carrier's call, if it has one."""
