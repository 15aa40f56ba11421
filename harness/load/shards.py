"""A worker's finished files on their way to the master: whole, checked, and never faster than it can take."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from harness.load.messages import Shard

PIECE_BYTES = 1 << 19
WINDOW = 4
"""Pieces of one worker that are asked for and not yet here."""
SENDERS = 4
"""Workers that send at one time. With the window it bounds what waits in the master's sockets: 8 MiB, whether
ten workers end at once or a thousand."""


class ShardError(Exception):
    """A shard is not what its worker said it was."""


def describe(path: Path) -> Shard:
    """Return a file's shard. Reads the whole file: hand it to a thread."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Shard(path.name, path.stat().st_size, digest, _records_in(path))


def manifest(folder: Path, worker: int) -> list[Shard]:
    """Describe what worker ``worker`` leaves in a folder: its records, and its report on itself."""
    names = (f"records-{worker}.parquet", f"worker-{worker}.json")
    return [describe(folder / name) for name in names if (folder / name).is_file()]


def missing_names(shards: Iterable[Shard], worker: int) -> list[str]:
    """Return what a complete worker leaves and this one did not."""
    given = {shard.name for shard in shards}
    return [n for n in (f"records-{worker}.parquet", f"worker-{worker}.json") if n not in given]


def read_piece(folder: Path, name: str, index: int) -> bytes:
    """Return piece ``index`` of a file, for sending."""
    with (folder / name).open("rb") as file:
        file.seek(index * PIECE_BYTES)
        return file.read(PIECE_BYTES)


def pieces_of(shard: Shard) -> int:
    """Return how many pieces a shard has; an empty file has none."""
    return -(-shard.size_bytes // PIECE_BYTES)


def verify(folder: Path, shard: Shard) -> None:
    """Compare a file with its shard. Raise ShardError where they differ. Reads the whole file."""
    path = folder / shard.name
    if not path.is_file():
        raise ShardError("is not in the run's folder")
    found = describe(path)
    _compare(shard, found.size_bytes, found.sha256, found.records)


class Incoming:
    """One shard that is being received: ``NAME.part`` until it is whole, then NAME.

    Pieces must come in order, which ZeroMQ keeps for one sender.
    """

    def __init__(self, folder: Path, shard: Shard) -> None:
        if Path(shard.name).name != shard.name:
            raise ShardError("has a name that leads out of the run's folder")
        self.shard = shard
        self.taken = 0
        self._path = folder / shard.name
        self._part = folder / f"{shard.name}.part"
        self._digest: Any = hashlib.sha256()
        self._size_bytes = 0
        self._file: BinaryIO = self._part.open("wb")

    @property
    def whole(self) -> bool:
        """Whether every piece is here."""
        return self.taken == pieces_of(self.shard)

    def take(self, index: int, data: bytes) -> None:
        """Write the next piece. Raise ShardError when it is another one."""
        if index != self.taken:
            raise ShardError(f"piece {index} came where piece {self.taken} was due")
        self._file.write(data)
        self._digest.update(data)
        self._size_bytes += len(data)
        self.taken += 1

    def finish(self) -> None:
        """Check the whole and give it its name. Raise ShardError, and leave nothing, when it is not sound."""
        self._file.close()
        try:
            records = _records_in(self._part) if self.shard.records is not None else None
            _compare(self.shard, self._size_bytes, self._digest.hexdigest(), records)
        except ShardError:
            self._part.unlink()
            raise
        self._part.rename(self._path)

    def give_up(self) -> None:
        """Drop what came so far."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def _compare(shard: Shard, size_bytes: int, sha256: str, records: int | None) -> None:
    if size_bytes != shard.size_bytes:
        raise ShardError(f"has {size_bytes:,} bytes of {shard.size_bytes:,}")
    if sha256 != shard.sha256:
        raise ShardError("has another SHA-256 than its worker computed")
    if records != shard.records:
        raise ShardError(f"holds {records} records where its worker wrote {shard.records}")


def _records_in(path: Path) -> int | None:
    """Return a table's rows from its footer; None for a file that is no table or a broken one."""
    if ".parquet" not in path.name:
        return None
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowInvalid, OSError):
        return None
