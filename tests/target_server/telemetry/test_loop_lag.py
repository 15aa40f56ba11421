import asyncio
import time

import pytest

from target_server.telemetry.loop_lag import owed, watch_loop_lag


def test_a_pause_of_70_ms_owes_four_ticks_each_with_its_own_lateness() -> None:
    assert owed(10.0, 10.07) == pytest.approx([0.07, 0.05, 0.03, 0.01])


def test_nothing_is_owed_before_it_is_due() -> None:
    assert owed(10.0, 9.99) == []


async def _blocked_for(seconds: float) -> list[float]:
    seen: list[float] = []
    watching = asyncio.create_task(watch_loop_lag(seen.append))
    await asyncio.sleep(0.05)
    time.sleep(seconds)  # what a loop must never do
    await asyncio.sleep(0.05)
    watching.cancel()
    return seen


def test_a_loop_that_stood_still_is_seen_by_as_many_ticks_as_it_missed() -> None:
    seen = asyncio.run(_blocked_for(0.4))
    assert 0.3 < max(seen) < 0.6
    assert 10 <= sum(lag > 0.15 for lag in seen) <= 16  # of 400 ms, those that were due in the first 250
