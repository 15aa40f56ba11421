"""A spool for each of several processes under one folder, and for those that take over after a crash."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from observability.spool.lock import SpoolBusyError
from observability.spool.writer import DEFAULT_LIMITS, SpoolLimits, SpoolWriter


def claim_writer(root: Path, limits: SpoolLimits = DEFAULT_LIMITS) -> tuple[Path, SpoolWriter]:
    """Return the first of ``root/0``, ``root/1``, … that no living process writes, and its writer.

    A process that was killed leaves its folder free: the next one goes on with what it left.
    """
    for number in count():
        folder = root / str(number)
        try:
            return folder, SpoolWriter(folder, limits)
        except SpoolBusyError:
            continue
    raise AssertionError("numbers do not end")
