"""How fast the engine finishes requests, and so when a refused one should come back."""

from __future__ import annotations

import time
from collections import deque

_WINDOW = 64
_LEAST_SECONDS = 1.0
_MOST_SECONDS = 60.0


class Throughput:
    """Rate of finished requests over the last ones, in requests per second."""

    def __init__(self) -> None:
        self._finished_at_seconds: deque[float] = deque(maxlen=_WINDOW)

    def record(self, at_seconds: float | None = None) -> None:
        """Note that a request finished, now or at a ``time.monotonic`` instant."""
        self._finished_at_seconds.append(time.monotonic() if at_seconds is None else at_seconds)

    def per_second(self) -> float | None:
        """Return the rate, or None before two requests have finished."""
        times = self._finished_at_seconds
        if len(times) < 2:
            return None
        return (len(times) - 1) / max(times[-1] - times[0], 1e-3)

    def retry_after_seconds(self, waiting: int) -> float:
        """Return the time in which the ``waiting`` requests get their slots, within 1 s and 60 s."""
        rate = self.per_second()
        if rate is None:
            return _LEAST_SECONDS
        return min(max(waiting / rate, _LEAST_SECONDS), _MOST_SECONDS)
