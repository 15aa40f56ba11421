"""What the engine has done so far, for whoever shows it while the run goes on."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.measure.histogram import LogHistogram
from harness.measure.record import Outcome, RequestRecord


@dataclass(slots=True)
class EngineStats:
    """Live counters of one worker. ``ttft`` and ``schedule_delay`` count nanoseconds from the due time.

    ``offered``: arrivals that are due by now. ``completed``: records by outcome; those never sent are in it.
    """

    planned: int = 0
    offered: int = 0
    sent: int = 0
    in_flight: int = 0
    reconnects: int = 0
    completed: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    ttft: LogHistogram = field(default_factory=LogHistogram)
    schedule_delay: LogHistogram = field(default_factory=LogHistogram)

    @property
    def recorded(self) -> int:
        """Return how many arrivals have ended."""
        return sum(self.completed.values())

    def count(self, record: RequestRecord) -> None:
        """Count one finished arrival."""
        self.completed[record.outcome] += 1
        if record.sent_ns is not None:
            self.sent += 1
            self.schedule_delay.add(record.sent_ns - record.intended_ns)
        if record.first_token_ns is not None and record.outcome is Outcome.OK:
            self.ttft.add(record.first_token_ns - record.intended_ns)
