"""The writing end of the files: groups of entries, each on disk as a whole or not there at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from observability.spool.cursor import read_cursor
from observability.spool.segment import cut_torn_tail, list_segments, segment_path, sync_folder


class SegmentLog:
    """Appends to numbered segments of about ``segment_bytes``; made anew, it cuts what a crash left torn.

    It never goes on with a segment of an earlier writer: a reader may have passed a place of it that a
    crash of the machine then took back.
    """

    def __init__(self, folder: Path, segment_bytes: int) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        existing = list_segments(folder)
        self.torn_bytes = cut_torn_tail(segment_path(folder, existing[-1])) if existing else 0
        self._number = max([read_cursor(folder).position.segment, *existing])
        self._handle: int | None = None
        self._end = 0

    def append(self, entries: Sequence[bytes]) -> None:
        """Write the entries and wait until the disk has them.

        Raise OSError when that cannot be done; none of them is in the segment then, and the next group
        starts another one, for after a failed fsync nobody knows what of a file is on disk.
        """
        try:
            self._write(b"".join(entries))
        except OSError:
            self._abandon()
            raise
        if self._end >= self._segment_bytes:
            self.close()

    def rotate(self) -> None:
        """Start another segment if this one has entries: a reader may remove one that has a successor."""
        if self._handle is not None and self._end:
            self.close()
        if self._handle is None:
            with suppress(OSError):  # a full disk; the next group will tell
                self._opened()

    def close(self) -> None:
        """End the segment; the next group starts another."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle, self._end = None, 0

    def _write(self, data: bytes) -> None:
        handle, rest = self._opened(), memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fdatasync(handle)
        self._end += len(data)

    def _opened(self) -> int:
        if self._handle is None:
            self._number += 1
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._handle = os.open(segment_path(self._folder, self._number), flags, 0o644)
            sync_folder(self._folder)
        return self._handle

    def _abandon(self) -> None:
        handle, end = self._handle, self._end
        if handle is not None:
            with suppress(OSError):  # the reader stops at the torn entry as well
                os.ftruncate(handle, end)
        self.close()
        if handle is not None and end == 0:
            with suppress(OSError):
                segment_path(self._folder, self._number).unlink()
