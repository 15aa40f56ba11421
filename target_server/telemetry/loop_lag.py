"""How late the event loop runs: what it should do every 20 ms tells."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PERIOD_SECONDS = 0.02
_MOST_OWED = 3000
"""A minute. A loop that stood longer, as in a suspended process, would owe itself a pause to count them."""


async def watch_loop_lag(observe: Callable[[float], object]) -> None:
    """Give ``observe`` the lateness in seconds of each 20 ms, until cancelled.

    A loop that stood still for a second owes 50 of them. All are given, each with its own lateness; a single
    late one would hide the pause behind those that went well.
    """
    due = time.monotonic() + PERIOD_SECONDS
    while True:
        await asyncio.sleep(due - time.monotonic())
        for lag_seconds in owed(due, time.monotonic()):
            observe(lag_seconds)
            due += PERIOD_SECONDS
        due = max(due, time.monotonic() - PERIOD_SECONDS * _MOST_OWED)


def owed(due: float, now: float) -> list[float]:
    """Return the lateness of every tick that was due by ``now``, the first one at ``due``; not too many."""
    ticks = int((now - due) / PERIOD_SECONDS) + 1 if now >= due else 0
    return [now - due - PERIOD_SECONDS * tick for tick in range(min(ticks, _MOST_OWED))]
