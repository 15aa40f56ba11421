"""A place in the spool: a segment's number and an offset in bytes."""

from __future__ import annotations

from typing import NamedTuple


class Position(NamedTuple):
    """Where the next unread entry begins. Positions compare as they follow each other."""

    segment: int
    offset_bytes: int


START = Position(0, 0)
