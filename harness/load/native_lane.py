"""One thread of the compiled core and the part of the plan that it sends."""

from __future__ import annotations

import time

from harness.arrivals.plan import Plan
from harness.core.engine import CoreEngine
from harness.load.calls import Asks
from harness.load.native_feed import NativeFeed
from harness.load.native_records import NativeRecords
from harness.measure.record_batch import RecordBatch

HORIZON_NS = 1_000_000_000
"""How long before its due time a request is prepared: longer than anything should stop the interpreter."""
LOW_NS = HORIZON_NS // 2
"""The same, where it is less than a chunk that could be prepared."""
MAX_AHEAD = 200_000
"""How many prepared requests may wait; they take memory."""
_CHUNK = 512


class NativeLane:
    """Keeps a core fed ahead of time and takes its records. ``core`` is fresh, and the lane's from now on."""

    def __init__(
        self, core: CoreEngine, plan: Plan, asks: Asks, worker: int, run_id: str, sample_share: float
    ) -> None:
        self.core = core
        self._feed = NativeFeed(plan, asks, run_id, sample_share)
        self._records = NativeRecords(core, plan, self._feed, worker, run_id, sample_share)
        self._zero_ns = 0

    def begin(self, zero_ns: int) -> None:
        """Set the plan's zero on the monotonic clock."""
        self._zero_ns = zero_ns
        self._feed.begin(zero_ns)

    @property
    def left(self) -> int:
        """How many arrivals are still to be prepared."""
        return self._feed.left

    @property
    def behind(self) -> bool:
        """Whether there is enough to prepare now: a turn costs as much as ten arrivals."""
        ahead = self._feed.made - self.core.counters.offered
        now_ns = time.monotonic_ns()
        return ahead < MAX_AHEAD and (
            self._feed.due_before(now_ns + HORIZON_NS, _CHUNK) or self._feed.due_before(now_ns + LOW_NS)
        )

    def feed_some(self) -> None:
        """Prepare a few of the arrivals that are due within the horizon."""
        arrivals, _bodies = self._feed.take(_CHUNK, time.monotonic_ns() + HORIZON_NS)
        self.core.feed(arrivals)

    def end(self) -> None:
        """Hand over what is left, unasked, as a stopped run needs only its records; then no more comes."""
        try:
            arrivals, _nothing = self._feed.take_rest_unasked()
            self.core.feed(arrivals)
        finally:
            self.core.end_feed()

    def take(self) -> RecordBatch | None:
        """Return what has finished since the last call."""
        return self._records.take(self._zero_ns)
