"""What every engine promises, whatever it sends with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from harness.load.counts import EngineStats
from harness.measure.histogram import LogHistogram
from harness.measure.reception import Reception
from harness.measure.record_batch import RecordBatch


class Engine(Protocol):
    """Sends a worker's slice of the plan; ends every planned arrival in exactly one record.

    ``listeners`` take the records in batches about every 10 ms: they must not wait. ``finished`` is set when
    the last record is out. ``fault`` is the bug or broken workload that ended the run early, if one did.
    """

    listeners: list[Callable[[RecordBatch], None]]
    finished: Any
    fault: BaseException | None

    @property
    def loop_lag(self) -> LogHistogram:
        """How late the sending loop came round."""

    @property
    def ttft(self) -> LogHistogram:
        """First token − due: of every first token so far, or of those whose answers have ended."""

    @property
    def itl(self) -> tuple[LogHistogram, ...]:
        """The gaps between tokens, per stage."""

    @property
    def reception(self) -> Reception:
        """How the times of arrival were learned."""

    def stats(self) -> EngineStats:
        """Return the live counters (the object itself: copy what you keep)."""

    def start(self, zero_ns: int) -> None:
        """Begin; offset 0 of the plan is at ``zero_ns`` on this process's monotonic clock."""

    def stop(self) -> None:
        """End now: open calls and arrivals that are not yet due become CANCELLED records."""
