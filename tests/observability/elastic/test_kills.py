"""1,000 shippers killed with SIGKILL, each at another point of its cycle: nothing is lost, nothing doubled.

A third die at a line of our own code, drawn from all that a cycle runs through; a third at a line after the
first batch was sent, where a document can be stored and not be told of; a third at an instant, wherever they
are then, in a system call as well. The store is the stand-in, which rolls over at random before it stores a
batch and after it; some dozens die against the real one (``tests/stack``).
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from observability.elastic.client import connect
from observability.elastic.patience import Patience
from observability.elastic.process import ship
from observability.spool.writer import SpoolLimits, SpoolWriter
from tests.observability.elastic.shipping import STREAM, OneShipper, document, tally
from tests.observability.elastic.stand_in import StandIn

LIVES = 1000
DOCUMENTS_A_LIFE = 5
LONGEST_LIFE_SECONDS = 0.15
"""From the fork on: a cycle takes a third of it or more."""
ROLLOVER_SHARE = 0.03


def ship_until_killed(folder: Path, url: str, last_line: int | None, begin: str) -> None:
    """Ship what there is; at the ``last_line``-th line of our code that runs, die (None: tell how many ran).

    Lines count once the function ``begin`` was called.
    """
    lines, counting = 0, False

    def count(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal lines, counting
        if "/observability/" not in frame.f_code.co_filename:
            return None
        counting = counting or frame.f_code.co_name == begin
        lines += counting and event == "line"
        if lines == last_line:
            os.kill(os.getpid(), signal.SIGKILL)
        return count

    patience = Patience(first_seconds=0.01, longest_seconds=0.05)
    patience.end_within(10.0)
    sys.settrace(count)
    ship(folder, connect(url, timeout_seconds=5), patience)
    sys.settrace(None)
    (folder / "lines").write_text(str(lines))


def ship_until_it_is_killed(folder: Path, url: str) -> None:
    """Ship, and wait for more."""
    ship(folder, connect(url, timeout_seconds=5), Patience(first_seconds=0.01, longest_seconds=0.05))


def start(work: Callable[..., None], *arguments: Any) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")  # which has everything imported
    context.set_forkserver_preload(["observability.elastic.process", __name__])
    process = context.Process(target=work, args=arguments)
    process.start()
    return process


def lines_of_a_cycle(folder: Path, url: str, begin: str) -> int:
    start(ship_until_killed, folder, url, None, begin).join(30)
    return int((folder / "lines").read_text())


def die_at_a_line(folder: Path, url: str, line: int, begin: str) -> int | None:
    process = start(ship_until_killed, folder, url, line, begin)
    process.join(30)
    return process.exitcode


def die_at_an_instant(folder: Path, url: str, seconds: float) -> int | None:
    process = start(ship_until_it_is_killed, folder, url)
    time.sleep(seconds)
    process.kill()
    process.join()
    return process.exitcode


@pytest.mark.timeout(600)
def test_a_thousand_killed_shippers_lose_and_double_nothing(tmp_path: Path, stand_in: StandIn) -> None:
    chance = random.Random(7)

    def roll_over_sometimes(_ids: list[tuple[str, str]]) -> dict[str, Any]:
        if chance.random() < ROLLOVER_SHARE:
            stand_in.roll_over(STREAM)
        return {}

    stand_in.plan = roll_over_sometimes
    writer = SpoolWriter(tmp_path, SpoolLimits(segment_bytes=4096, group_seconds=0.0))
    offered = 0

    def offer_some() -> None:
        nonlocal offered
        for _ in range(DOCUMENTS_A_LIFE):
            assert writer.offer(document(offered).to_entry())
            offered += 1

    def lines_from(begin: str) -> int:
        offer_some()
        assert writer.sync(5.0)
        return lines_of_a_cycle(tmp_path, stand_in.url, begin)

    all_lines, lines_after_sending = lines_from("ship"), lines_from("bulk_create")
    deaths = (
        lambda: die_at_a_line(tmp_path, stand_in.url, chance.randint(1, all_lines), "ship"),
        lambda: die_at_a_line(tmp_path, stand_in.url, chance.randint(1, lines_after_sending), "bulk_create"),
        lambda: die_at_an_instant(tmp_path, stand_in.url, chance.uniform(0, LONGEST_LIFE_SECONDS)),
    )
    killed = 0
    while killed < LIVES:
        offer_some()
        assert writer.sync(5.0)
        killed += deaths[killed % 3]() == -signal.SIGKILL  # some get through: not every cycle is as long
        if chance.random() < ROLLOVER_SHARE:
            stand_in.roll_over(STREAM)
    writer.close()
    OneShipper(tmp_path, stand_in.url).ship_all()

    assert writer.counts.accepted == offered
    assert stand_in.copies(STREAM) == {document(number).id: 1 for number in range(offered)}
    told = tally(tmp_path)
    assert told.stored + told.duplicates == offered
    assert told.duplicates > LIVES / 4  # stored, and killed before the cursor told: the point of it all
    assert len(stand_in.streams[STREAM]) > LIVES / 50
