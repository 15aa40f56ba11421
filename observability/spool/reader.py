"""The reading end of a spool: batches from the oldest entry on, forgotten only when they are committed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from observability.spool import frame
from observability.spool.cursor import Cursor, CursorFile, read_cursor
from observability.spool.lock import FolderLock
from observability.spool.position import Position
from observability.spool.segment import list_segments, segment_bytes, segment_path


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive entries and the place behind them.

    ``damaged_bytes`` were passed over on the way: in a segment that nobody writes any more, all that stands
    behind an entry that is not sound.
    """

    payloads: tuple[bytes, ...]
    end: Position
    damaged_bytes: int = 0


class SpoolReader:
    """Reads one spool; a lock keeps a second reader out.

    It sees what the writer has written, which may be a moment before the writer calls it accepted.
    """

    def __init__(self, folder: Path) -> None:
        """Raise SpoolBusyError for a second reader, ValueError for a cursor that is none."""
        self._folder = folder
        self._lock = FolderLock(folder, "reader")
        self._cursor_file = CursorFile(folder)
        self._forget_passed()

    @property
    def cursor(self) -> Cursor:
        """What was committed last."""
        return self._cursor_file.cursor

    def end(self) -> Position:
        """Return a place behind everything that is in the spool now."""
        return max(self.cursor.position, end_of(self._folder))

    def read(self, max_entries: int, max_bytes: int) -> Batch:
        """Return the entries behind the cursor; see ``read_batch``."""
        return read_batch(self._folder, self.cursor.position, max_entries, max_bytes)

    def commit(self, end: Position, notes: Mapping[str, Any]) -> None:
        """Settle everything before ``end``: the cursor first, then the segments that it has passed."""
        self._cursor_file.write(Cursor(end, notes))
        self._forget_passed()

    def close(self) -> None:
        """Let another reader in."""
        self._cursor_file.close()
        self._lock.release()

    def _forget_passed(self) -> None:
        for number in list_segments(self._folder):
            if number < self.cursor.position.segment:
                segment_path(self._folder, number).unlink(missing_ok=True)


def end_of(folder: Path) -> Position:
    """Return the place behind the last byte of a spool."""
    last = max(list_segments(folder), default=0)
    return Position(last, segment_bytes(segment_path(folder, last)))


def unread_entries(folder: Path) -> Iterator[bytes]:
    """Yield what lies behind the cursor of a spool that nobody reads or writes at the moment."""
    position = read_cursor(folder).position
    while (batch := read_batch(folder, position, 1000, 1024 * 1024)).payloads:
        yield from batch.payloads
        position = batch.end


def read_batch(folder: Path, at: Position, max_entries: int, max_bytes: int) -> Batch:
    """Return the entries behind a place, at most so many; none when there are no more for now.

    The bytes that are held are at most ``max_bytes`` and one entry.
    """
    payloads: list[bytes] = []
    damaged = 0
    while len(payloads) < max_entries and max_bytes > 0:
        # Listed before it is read: a segment with a successor now will not grow any more.
        segments = [number for number in list_segments(folder) if number >= at.segment]
        if not segments:
            break
        at = at if segments[0] == at.segment else Position(segments[0], 0)
        found, at, left = _entries(folder, at, max_entries - len(payloads), max_bytes)
        payloads += found
        max_bytes -= sum(map(len, found))
        if found:
            continue
        if len(segments) == 1:
            break
        at, damaged = Position(segments[1], 0), damaged + left
    return Batch(tuple(payloads), at, damaged)


def _entries(
    folder: Path, at: Position, max_entries: int, max_bytes: int
) -> tuple[list[bytes], Position, int]:
    """Return sound entries, the place behind them, and how many bytes stand there that are none."""
    data = _bytes(folder, at, max_bytes + frame.HEADER_BYTES + frame.MAX_PAYLOAD_BYTES)
    found: list[bytes] = []
    offset = 0
    while len(found) < max_entries and max_bytes > 0:
        entry = frame.decode(data, offset)
        if entry is None:
            break
        payload, offset = entry
        found.append(payload)
        max_bytes -= len(payload)
    return found, Position(at.segment, at.offset_bytes + offset), len(data) - offset


def _bytes(folder: Path, at: Position, most: int) -> bytes:
    try:
        with segment_path(folder, at.segment).open("rb", buffering=0) as file:
            return os.pread(file.fileno(), most, at.offset_bytes)
    except FileNotFoundError:  # an abandoned segment without entries
        return b""
