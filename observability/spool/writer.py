"""The writing end of a spool: take entries without waiting, put them on disk in groups, count both.

One process writes a spool, as a lock sees to; its threads may share the writer. Several processes have a
folder each.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from observability.spool import frame
from observability.spool.cursor import make_slots
from observability.spool.lock import FolderLock
from observability.spool.segment import used_bytes
from observability.spool.segment_log import SegmentLog

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """What a spool may take. ``total_bytes`` bounds the disk and ``pending_bytes`` the memory; both refuse.

    ``group_seconds`` is how long the first entry of a group waits for others, which share its fsync.
    """

    total_bytes: int = 512 * _MIB
    segment_bytes: int = 16 * _MIB
    pending_bytes: int = 16 * _MIB
    group_seconds: float = 0.01


DEFAULT_LIMITS = SpoolLimits()


@dataclass(frozen=True, slots=True)
class SpoolCounts:
    """Entries so far: ``accepted`` are on disk, ``refused`` never will be, ``pending`` are neither yet."""

    accepted: int
    refused: int
    pending: int

    @property
    def offered(self) -> int:
        """All that came."""
        return self.accepted + self.refused + self.pending


class SpoolWriter:
    """Takes entries by ``offer``; a thread of its own writes them. ``failure`` is the last error, as text.

    Make it in the process that uses it: the thread does not survive a fork.
    """

    def __init__(self, folder: Path, limits: SpoolLimits = DEFAULT_LIMITS) -> None:
        """Raise SpoolBusyError when another process writes this spool, OSError when the folder cannot be."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._limits = folder, limits
        self._lock = FolderLock(folder, "writer")
        make_slots(folder)
        self._log = SegmentLog(folder, limits.segment_bytes)
        self._gate = threading.Condition()
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._in_hand = 0
        self._on_disk_bytes = used_bytes(folder)
        self._accepted = self._refused = 0
        self._closing = self._full = False
        self.failure: str | None = None
        self._thread = threading.Thread(target=self._work, name="spool-writer", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> SpoolCounts:
        """What became of the entries so far."""
        with self._gate:
            return SpoolCounts(self._accepted, self._refused, len(self._pending) + self._in_hand)

    def offer(self, payload: bytes) -> bool:
        """Take an entry, or count it as refused and return False; never wait for the disk."""
        fits = 0 < len(payload) <= frame.MAX_PAYLOAD_BYTES
        entry = frame.encode(payload) if fits else b""
        with self._gate:
            if not fits or self._closing or not self._has_room(len(entry)):
                self._refused += 1
                return False
            self._pending.append(entry)
            self._pending_bytes += len(entry)
            if len(self._pending) == 1:
                self._gate.notify_all()
            return True

    def has_room(self, payload_bytes: int) -> bool:
        """Whether an entry of this size would be taken now, for a caller that can wait until it is."""
        with self._gate:
            return not self._closing and self._has_room(payload_bytes + frame.HEADER_BYTES)

    def sync(self, timeout_seconds: float) -> bool:
        """Wait until each entry that was offered before is accepted or refused; False: the time is over."""
        with self._gate:
            target = self._accepted + self._refused + len(self._pending) + self._in_hand
            return self._gate.wait_for(lambda: self._accepted + self._refused >= target, timeout_seconds)

    def close(self, timeout_seconds: float = 30.0) -> None:
        """Write what was taken, refuse what comes, and let go of the folder; a second call does nothing."""
        with self._gate:
            if self._closing:
                return
            self._closing = True
            self._gate.notify_all()
        self._thread.join(timeout_seconds)
        if not self._thread.is_alive():  # a disk that hangs keeps its lock: the thread may still write
            self._lock.release()

    def _has_room(self, entry_bytes: int) -> bool:
        pending = self._pending_bytes + entry_bytes
        if pending > self._limits.pending_bytes:
            return False
        if self._on_disk_bytes + pending <= self._limits.total_bytes:
            return True
        if not self._full:  # let the thread look whether the reader has removed something
            self._full = True
            self._gate.notify_all()
        return False

    def _work(self) -> None:
        while self._wait_for_work():
            self._write_group(self._take_group())
        self._log.close()

    def _wait_for_work(self) -> bool:
        """Wait for entries, or for the question of room; False once all is written and none will come."""
        with self._gate:
            self._gate.wait_for(lambda: self._pending or self._full or self._closing)
            if self._closing:
                return bool(self._pending)
        time.sleep(self._limits.group_seconds)
        return True

    def _take_group(self) -> list[bytes]:
        with self._gate:
            group, self._pending, self._pending_bytes = self._pending, [], 0
            self._in_hand = len(group)
            # What is in hand is soon on disk; counted here, or `offer` would see room twice.
            self._on_disk_bytes += sum(map(len, group))
            return group

    def _write_group(self, group: list[bytes]) -> None:
        failure = self._append(group)
        if self._full:
            self._log.rotate()
        used = used_bytes(self._folder)
        with self._gate:
            if failure is None:
                self._accepted += len(group)
            else:
                self._refused += len(group)
                self.failure = failure
            self._in_hand, self._on_disk_bytes, self._full = 0, used, False
            self._gate.notify_all()

    def _append(self, group: list[bytes]) -> str | None:
        try:
            if group:
                self._log.append(group)
        except OSError as error:
            return f"the spool could not be written: {error.strerror}"
        return None
