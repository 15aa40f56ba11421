"""Records to Parquet, in bounded memory, without holding up the loop."""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path
from typing import Any

import gevent
import gevent.event

from harness.measure.record_batch import RecordBatch
from harness.measure.record_file import open_record_file

_log = logging.getLogger(__name__)
ROW_GROUP_RECORDS = 32_768
"""Written in one piece by another thread; meanwhile the loop comes round within 0.1 ms (p99.9)."""
MAX_WAITING_RECORDS = 16 * ROW_GROUP_RECORDS
"""About 70 MB. A disk that falls further behind loses records, which is counted and makes the run INVALID."""
_MERGED_RECORDS = 2048
_MERGED_BATCHES = 64
"""Batches of a few records weigh more than the records in them, so they are merged while they wait."""


class RecordSink:
    """Writes ``records-<worker>.parquet``. ``add`` never waits; a greenlet hands row groups to a thread.

    The file has its final name only once it is complete, since Parquet without its footer cannot be read.
    ``recorded`` counts records safely written (final after ``close``), ``lost`` those given up, ``failure``
    says why.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._new: list[RecordBatch] = []
        self._new_records = 0
        self._waiting: deque[RecordBatch] = deque()
        self._waiting_records = 0
        self._writer: Any = None
        self._wake = gevent.event.Event()
        self._closing = False
        self._greenlet = gevent.spawn(self._drain)
        self.recorded = 0
        self.lost = 0
        self.failure: str | None = None

    def add(self, batch: RecordBatch) -> None:
        """Take a batch of records."""
        if self._waiting_records >= MAX_WAITING_RECORDS or self.failure is not None:
            self.lost += len(batch)
            self.failure = self.failure or "the disk could not keep up with the records"
            return
        self._new.append(batch)
        self._new_records += len(batch)
        if self._new_records >= _MERGED_RECORDS or len(self._new) >= _MERGED_BATCHES:
            self._hand_over()

    def close(self) -> int:
        """Write what is left and finish the file; return how many records it holds. Waits (a greenlet's)."""
        self._hand_over()
        self._closing = True
        self._wake.set()
        self._greenlet.join()
        return self.recorded

    def _hand_over(self) -> None:
        if self._new:
            self._waiting.append(RecordBatch.concat(self._new))
            self._waiting_records += self._new_records
            self._new, self._new_records = [], 0
        if self._waiting_records >= ROW_GROUP_RECORDS:
            self._wake.set()

    def _drain(self) -> None:
        pool = gevent.get_hub().threadpool
        while self._waiting or not self._closing:
            self._wake.wait()
            self._wake.clear()
            while self._waiting_records >= (1 if self._closing else ROW_GROUP_RECORDS):
                self._run(pool, self._write, self._next_group())
        self._run(pool, self._finish, [])

    def _next_group(self) -> list[RecordBatch]:
        """Take the oldest records, a row group of them; what is too much of the last batch stays."""
        group, room = [], ROW_GROUP_RECORDS
        while self._waiting and room:
            batch = self._waiting.popleft()
            if len(batch) > room:
                self._waiting.appendleft(batch.rows(room, len(batch)))
                batch = batch.rows(0, room)
            group.append(batch)
            room -= len(batch)
        return group

    def _run(self, pool: Any, work: Any, group: list[RecordBatch]) -> None:
        records = sum(map(len, group))
        try:
            pool.apply(work, (group,))
            self.recorded += records
        except Exception as error:  # noqa: BLE001 - whatever it is, what it lost must be counted
            _log.exception("writing records failed")
            self.lost += records
            self.failure = f"writing records failed: {error}"
        self._waiting_records -= records

    def _write(self, group: list[RecordBatch]) -> None:
        self._opened().write_batch(RecordBatch.concat(group).to_arrow())

    def _finish(self, _group: list[RecordBatch]) -> None:
        self._opened().close()
        if self.failure is None:
            self._part.rename(self._path)

    def _opened(self) -> Any:
        if self._writer is None:
            self._writer = open_record_file(self._part)
        return self._writer
