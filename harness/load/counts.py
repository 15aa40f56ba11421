"""What the engine has done so far, for whoever shows it while the run goes on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from harness.measure.histogram import LogHistogram
from harness.measure.record import OUTCOMES, Outcome
from harness.measure.record_batch import RecordBatch


@dataclass(slots=True)
class EngineStats:
    """Live counters of one worker. ``schedule_delay`` counts nanoseconds from the due time.

    ``offered``: arrivals that are due by now. ``completed``: records by outcome; those never sent are in it.
    """

    planned: int = 0
    offered: int = 0
    sent: int = 0
    in_flight: int = 0
    reconnects: int = 0
    completed: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    schedule_delay: LogHistogram = field(default_factory=LogHistogram)

    @property
    def recorded(self) -> int:
        """Return how many arrivals have ended."""
        return sum(self.completed.values())

    def count(self, batch: RecordBatch) -> None:
        """Count finished arrivals."""
        ended = np.bincount(batch.outcome, minlength=len(OUTCOMES)).tolist()
        for outcome, n in zip(OUTCOMES, ended, strict=True):
            self.completed[outcome] += n
        sent = batch.was_sent
        self.sent += int(sent.sum())
        self.schedule_delay.add_many((batch.sent_ns - batch.intended_ns)[sent])


class EndedTtft:
    """First token − due of every request that has ended with at least one token."""

    def __init__(self) -> None:
        self.histogram = LogHistogram()

    def take(self, batch: RecordBatch) -> None:
        """Count finished requests."""
        self.histogram.add_many((batch.first_token_ns - batch.intended_ns)[batch.has_token])
