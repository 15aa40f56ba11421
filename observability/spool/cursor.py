"""How far the spool was read: two slots of a file each, written in turn, the newest sound one counts.

Beside the position stand the reader's notes (what became of the entries before it), for both must change in
one step: notes of another moment than the position's would count entries twice or not at all. A slot is
written in place, since a disk that the spool has filled has no room for a new file, and nothing would leave
the spool again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from observability.spool import frame
from observability.spool.position import START, Position
from observability.spool.segment import sync_folder

_SLOTS = ("cursor.0", "cursor.1")
_SLOT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything before ``position`` is settled; ``notes`` is the reader's own JSON object."""

    position: Position = START
    notes: Mapping[str, Any] = field(default_factory=dict)


def read_cursor(folder: Path) -> Cursor:
    """Return the folder's cursor; the start and no notes where there is none yet.

    Raise ValueError where something was written and none of it is a cursor: to begin again would be a guess.
    """
    return _newest(folder)[1]


def make_slots(folder: Path) -> None:
    """Make the slots, with room for what they will hold, while the disk still has some. Raise OSError."""
    for name in _SLOTS:
        os.close(_open_slot(folder / name))
    sync_folder(folder)


class CursorFile:
    """Writes the cursor of a folder that has one reader."""

    def __init__(self, folder: Path) -> None:
        """Raise what ``read_cursor`` raises."""
        self._sequence, self.cursor = _newest(folder)
        make_slots(folder)
        self._handles = [_open_slot(folder / name) for name in _SLOTS]

    def write(self, cursor: Cursor) -> None:
        """Replace the cursor, durably: after a crash there is the old one or the new one."""
        told = {"sequence": self._sequence + 1, **cursor.position._asdict(), "notes": dict(cursor.notes)}
        handle, rest, at = self._handles[(self._sequence + 1) % 2], frame.encode(json.dumps(told).encode()), 0
        while at < len(rest):
            at += os.pwrite(handle, rest[at:], at)
        os.fdatasync(handle)
        self._sequence, self.cursor = self._sequence + 1, cursor

    def close(self) -> None:
        """Let go of the slots."""
        for handle in self._handles:
            os.close(handle)


def _open_slot(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    missing = _SLOT_BYTES - os.fstat(handle).st_size
    if missing > 0:
        os.pwrite(handle, bytes(missing), _SLOT_BYTES - missing)
        os.fsync(handle)
    return handle


def _newest(folder: Path) -> tuple[int, Cursor]:
    slots = [data for name in _SLOTS if (data := _slot(folder / name)).strip(b"\0")]
    read = [told for data in slots if (told := _told(data)) is not None]
    if slots and not read:
        raise ValueError(f"{folder}: no slot of its cursor can be read")
    newest = max(read, key=lambda told: told["sequence"], default=None)
    if newest is None:
        return 0, Cursor()
    return newest["sequence"], Cursor(Position(newest["segment"], newest["offset_bytes"]), newest["notes"])


def _slot(path: Path) -> bytes:
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


def _told(data: bytes) -> dict[str, Any] | None:
    entry = frame.decode(data)
    told: dict[str, Any] | None = json.loads(entry[0]) if entry else None
    return told
