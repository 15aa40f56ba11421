"""Records to Parquet, in bounded memory, without holding up the loop."""

from __future__ import annotations

import logging
from operator import attrgetter
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import pyarrow as pa
import pyarrow.parquet as pq

from harness.measure.record import SCHEMA, RequestRecord

_log = logging.getLogger(__name__)
BATCH_RECORDS = 2048
"""Small, because the conversion holds the interpreter's lock for a column at a time (about 0.1 ms)."""
ROW_GROUP_BATCHES = 16
MAX_WAITING_BATCHES = 128
"""A disk that falls further behind loses records, which is counted and makes the run INVALID."""

_COLUMNS = [(field, attrgetter(field.name)) for field in SCHEMA]


class RecordSink:
    """Writes ``records-<worker>.parquet``. ``add`` never waits; a greenlet hands batches to a thread.

    The file has its final name only once it is complete, since Parquet without its footer cannot be read.
    ``recorded`` counts records safely written (final after ``close``), ``lost`` those given up, ``failure``
    says why.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._batch: list[RequestRecord] = []
        self._waiting: list[list[RequestRecord]] = []
        self._tables: list[pa.RecordBatch] = []
        self._writer: Any = None
        self._wake = gevent.event.Event()
        self._closing = False
        self._greenlet = gevent.spawn(self._drain)
        self.recorded = 0
        self.lost = 0
        self.failure: str | None = None

    def add(self, record: RequestRecord) -> None:
        """Take one record."""
        self._batch.append(record)
        if len(self._batch) >= BATCH_RECORDS:
            self._hand_over()

    def close(self) -> int:
        """Write what is left and finish the file; return how many records it holds. Waits (a greenlet's)."""
        self._hand_over()
        self._closing = True
        self._wake.set()
        self._greenlet.join()
        return self.recorded

    def _hand_over(self) -> None:
        if len(self._waiting) >= MAX_WAITING_BATCHES or self.failure is not None:
            self.lost += len(self._batch)
            self.failure = self.failure or "the disk could not keep up with the records"
        else:
            self._waiting.append(self._batch)
        self._batch = []
        self._wake.set()

    def _drain(self) -> None:
        pool = gevent.get_hub().threadpool
        while not (self._closing and not self._waiting):
            self._wake.wait()
            self._wake.clear()
            while self._waiting:
                self._run(pool, self._write, self._waiting.pop(0))
        self._run(pool, self._finish, [])

    def _run(self, pool: Any, work: Any, records: list[RequestRecord]) -> None:
        try:
            pool.apply(work, (records,))
            self.recorded += len(records)
        except (OSError, pa.ArrowException) as error:
            _log.exception("writing records failed")
            self.lost += len(records)
            self.failure = f"writing records failed: {error}"

    def _write(self, records: list[RequestRecord]) -> None:
        self._tables.append(to_batch(records))
        if len(self._tables) >= ROW_GROUP_BATCHES:
            self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._part, SCHEMA, compression="zstd")
        tables, self._tables = self._tables, []
        self._writer.write_table(pa.Table.from_batches(tables, SCHEMA))

    def _finish(self, _records: list[RequestRecord]) -> None:
        self._flush()
        self._writer.close()
        if self.failure is None:
            self._part.rename(self._path)


def to_batch(records: list[RequestRecord]) -> pa.RecordBatch:
    """Return the records as columns of ``SCHEMA``."""
    columns = [pa.array(map(read, records), field.type) for field, read in _COLUMNS]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
