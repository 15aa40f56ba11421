"""How far this process's wall clock is from the master's: round trips as in NTP, the quickest one counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.queue import Empty, Queue

from harness.load.messages import ClockAnswer, ClockAsk, register, send
from harness.measure.worker_report import ClockReading

ROUND_TRIPS = 16
_ANSWER_SECONDS = 5.0
_PAUSE_SECONDS = 0.003
"""Between two questions, so that one busy moment of the master does not spoil them all."""


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One question and its answer, in nanoseconds: ``asked``, ``heard`` on our clock, the rest on theirs."""

    asked_ns: int
    received_ns: int
    answered_ns: int
    heard_ns: int

    @property
    def offset_ns(self) -> int:
        """Ours minus theirs, if the question took as long as the answer."""
        return ((self.asked_ns - self.received_ns) + (self.heard_ns - self.answered_ns)) // 2

    @property
    def delay_ns(self) -> int:
        """How long question and answer were under way. The true offset is within half of it."""
        return max(0, (self.heard_ns - self.asked_ns) - (self.answered_ns - self.received_ns))


def best_reading(trips: Iterable[RoundTrip]) -> ClockReading:
    """Return what the round trip with the least delay tells. Raise ValueError when there is none."""
    best = min(trips, key=lambda trip: trip.delay_ns)
    return ClockReading(best.heard_ns, best.offset_ns, (best.delay_ns + 1) // 2)


class ClockSync:
    """A worker's side. ``wall_ns`` is its wall clock, a parameter so that a test can set it wrong."""

    def __init__(self, runner: Any, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._runner = runner
        self._wall_ns = wall_ns
        self._answers: Any = Queue()
        register(runner, ClockAnswer, self._on_answer)

    def read(self) -> ClockReading | None:
        """Compare the clocks, which waits for some 50 ms; None when the master does not answer."""
        trips = []
        for _ in range(ROUND_TRIPS):
            send(self._runner, ClockAsk(self._wall_ns()))
            try:
                trips.append(self._answers.get(timeout=_ANSWER_SECONDS))
            except Empty:
                break
            gevent.sleep(_PAUSE_SECONDS)
        return best_reading(trips) if trips else None

    def _on_answer(self, answer: ClockAnswer, _sender: str) -> None:
        heard_ns = self._wall_ns()
        trip = RoundTrip(answer.asked_ns, answer.received_ns, answer.answered_ns, heard_ns)
        self._answers.put(trip)


def answer_clock(runner: Any, wall_ns: Callable[[], int] = time.time_ns) -> None:
    """Let a master tell its time to whoever asks."""

    def on_ask(ask: ClockAsk, sender: str) -> None:
        received_ns = wall_ns()
        send(runner, ClockAnswer(ask.asked_ns, received_ns, wall_ns()), sender)

    register(runner, ClockAsk, on_ask)
