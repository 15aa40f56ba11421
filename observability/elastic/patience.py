"""How long the shipper waits: longer after each failure, by chance, and no longer than it is given."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable


class GaveUpError(Exception):
    """The time that was given is over, and something is left."""


class Patience:
    """Waits between tries. ``end_within`` gives the shipper so many seconds more; until then it has for ever.

    The n-th failure in a row waits half to all of ``first_seconds`` · 2^n, at most ``longest_seconds``: the
    chance keeps many shippers that lost one server from coming back in one instant.
    """

    def __init__(
        self,
        first_seconds: float = 0.2,
        longest_seconds: float = 5.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._first_seconds, self._longest_seconds = first_seconds, longest_seconds
        self._chance = chance
        self._failures = 0
        self._ending = threading.Event()
        self._deadline = float("inf")

    @property
    def ending(self) -> bool:
        """Whether nothing more will come."""
        return self._ending.is_set()

    def end_within(self, seconds: float) -> None:
        """Say that nothing more will come, and how long what is left may take."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)
        self._ending.set()

    def succeeded(self) -> None:
        """Forget the failures."""
        self._failures = 0

    def next_wait_seconds(self) -> float:
        """Count a failure and return how long to wait after it."""
        longest = min(self._longest_seconds, self._first_seconds * 2.0**self._failures)
        self._failures = min(self._failures + 1, 30)
        return longest * (0.5 + self._chance() / 2)

    def after_failure(self, reason: str) -> None:
        """Wait before the next try. Raise GaveUpError, with the reason, when the time is over."""
        wait_seconds = self.next_wait_seconds()
        if self.ending:
            left_seconds = self._deadline - time.monotonic()
            if left_seconds <= 0:
                raise GaveUpError(reason)
            time.sleep(min(wait_seconds, left_seconds))
        else:
            self._ending.wait(wait_seconds)

    def idle(self, seconds: float) -> None:
        """Wait for something to come; not when nothing will."""
        self._ending.wait(seconds)
