"""Shards: whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import gevent
import pytest

from harness.load import collector, shards
from harness.load.collector import Collector
from harness.load.fleet import Member
from harness.load.messages import Finished, Piece, Pull, Release, Shard
from harness.load.shards import PIECE_BYTES, Incoming, ShardError, describe, pieces_of, read_piece, verify
from tests.harness.measure.build import record, write_records


def write_n(folder: Path, n: int, worker: int = 0) -> Path:
    write_records(folder, worker, [record(seq, seq / 10) for seq in range(n)])
    return folder / f"records-{worker}.parquet"


def blob(folder: Path, size_bytes: int) -> Shard:
    """A file of a worker that is no table."""
    (folder / "worker-0.json").write_bytes(b"x" * size_bytes)
    return describe(folder / "worker-0.json")


def test_a_shard_tells_size_checksum_and_how_many_records_it_holds(tmp_path: Path) -> None:
    path = write_n(tmp_path, 7)
    shard = describe(path)
    assert shard == Shard(
        "records-0.parquet", path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest(), 7
    )


@pytest.mark.parametrize(
    ("size_bytes", "pieces"), [(0, 0), (1, 1), (PIECE_BYTES, 1), (PIECE_BYTES + 1, 2), (10 * PIECE_BYTES, 10)]
)
def test_the_pieces_make_the_file_again(tmp_path: Path, size_bytes: int, pieces: int) -> None:
    there = tmp_path / "there"
    there.mkdir()
    shard = blob(tmp_path, size_bytes)
    assert pieces_of(shard) == pieces
    incoming = Incoming(there, shard)
    for index in range(pieces):
        assert not (there / shard.name).exists()
        incoming.take(index, read_piece(tmp_path, shard.name, index))
    assert incoming.whole
    incoming.finish()
    assert (there / shard.name).read_bytes() == (tmp_path / shard.name).read_bytes()
    assert not (there / f"{shard.name}.part").exists()


def test_a_flipped_bit_is_found_and_nothing_is_left(tmp_path: Path) -> None:
    shard = blob(tmp_path, 100)
    there = tmp_path / "there"
    there.mkdir()
    incoming = Incoming(there, shard)
    incoming.take(0, b"x" * 99 + b"y")
    with pytest.raises(ShardError, match="another SHA-256"):
        incoming.finish()
    assert not list(there.iterdir())


def test_a_file_that_was_cut_is_found_by_its_size(tmp_path: Path) -> None:
    shard = blob(tmp_path, 100)
    (tmp_path / shard.name).write_bytes(b"x" * 60)
    with pytest.raises(ShardError, match="has 60 bytes of 100"):
        verify(tmp_path, shard)


def test_a_table_with_fewer_records_than_its_worker_wrote_is_found(tmp_path: Path) -> None:
    whole = describe(write_n(tmp_path, 7))
    claimed = Shard(whole.name, whole.size_bytes, whole.sha256, 8)
    with pytest.raises(ShardError, match="holds 7 records where its worker wrote 8"):
        verify(tmp_path, claimed)


def test_a_piece_out_of_its_order_is_refused(tmp_path: Path) -> None:
    shard = blob(tmp_path, 3 * PIECE_BYTES)
    there = tmp_path / "there"
    there.mkdir()
    incoming = Incoming(there, shard)
    with pytest.raises(ShardError, match="piece 1 came where piece 0 was due"):
        incoming.take(1, b"")
    incoming.give_up()


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="leads out"):
        Incoming(tmp_path, Shard("../records-0.parquet", 1, "", None))


class Workers:
    """Workers that answer what the collector asks, and note how many pieces it waits for at one time."""

    def __init__(self, folder: Path, silent_after: int | None = None) -> None:
        self.folder = folder
        self.silent_after = silent_after
        self.waiting: dict[int, int] = {}
        self.most_waiting = 0
        self.most_workers = 0
        self.released: list[Release] = []
        self.collector: Any = None

    def say(self, member: Member, message: Any) -> None:
        if isinstance(message, Release):
            self.waiting.pop(member.index, None)
            self.released.append(message)
            return
        assert isinstance(message, Pull)
        self.waiting[member.index] = self.waiting.get(member.index, 0) + 1
        self.most_waiting = max(self.most_waiting, *self.waiting.values())
        self.most_workers = max(self.most_workers, len(self.waiting))
        if self.silent_after is None or message.index < self.silent_after:
            gevent.spawn_later(0.002, self._answer, member, message)

    def _answer(self, member: Member, pull: Pull) -> None:
        self.waiting[member.index] -= 1
        data = read_piece(self.folder, pull.name, pull.index)
        self.collector.on_piece(Piece(pull.run_id, member.index, pull.name, pull.index, data))


def collect(here: Path, there: Path, workers: Workers, finished: list[Finished]) -> list[Member]:
    workers.collector = Collector("run", there, workers.say, more=False)
    members = [Member(message.worker, client_id=f"host-{message.worker}_x") for message in finished]
    for member, message in zip(members, finished, strict=True):
        workers.collector.take(member, message)
    with gevent.Timeout(20):
        while not all(member.done for member in members):
            gevent.sleep(0.01)
    return members


def folders(tmp_path: Path) -> tuple[Path, Path]:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    return here, there


def leave(folder: Path, worker: int, report_bytes: int = 10) -> Finished:
    write_n(folder, 3, worker)
    (folder / f"worker-{worker}.json").write_bytes(b"{" * report_bytes)
    return Finished("run", worker, False, shards.manifest(folder, worker))


def test_ten_workers_send_four_at_a_time_and_four_pieces_each(tmp_path: Path) -> None:
    here, there = folders(tmp_path)
    finished = [leave(here, worker, 20 * PIECE_BYTES) for worker in range(10)]
    workers = Workers(here)
    collect(here, there, workers, finished)
    assert workers.collector.problems == []
    assert len(list(there.iterdir())) == 20
    assert (workers.most_workers, workers.most_waiting) == (4, 4)
    assert all(release.stored for release in workers.released)


def test_a_worker_that_falls_silent_is_named_and_the_others_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "PIECE_SECONDS", 0.2)
    here, there = folders(tmp_path)
    finished = [leave(here, 0), leave(here, 1, 5 * PIECE_BYTES)]
    workers = Workers(here, silent_after=2)
    collect(here, there, workers, finished)
    assert workers.collector.problems == [
        "worker 1 on host-1: worker-1.json stopped coming after 2 of 5 pieces"
    ]
    kept = {"records-0.parquet", "worker-0.json", "records-1.parquet"}
    assert {path.name for path in there.iterdir()} == kept
    assert [release.stored for release in workers.released] == [True, False]


def test_a_file_that_was_never_written_is_named(tmp_path: Path) -> None:
    here, there = folders(tmp_path)
    leave(here, 0)
    (here / "records-0.parquet").unlink()
    workers = Workers(here)
    collect(here, there, workers, [Finished("run", 0, False, shards.manifest(here, 0))])
    assert workers.collector.problems == ["worker 0 on host-0: records-0.parquet was not written"]


def test_files_in_a_shared_folder_are_checked_where_they_lie(tmp_path: Path) -> None:
    finished = leave(tmp_path, 0)
    shared = Finished("run", 0, True, finished.shards)
    (tmp_path / "worker-0.json").write_bytes(b"{{{{{{{{{}")
    workers = Workers(tmp_path)
    collect(tmp_path, tmp_path, workers, [shared])
    assert workers.collector.problems == [
        "worker 0 on host-0: worker-0.json has another SHA-256 than its worker computed"
    ]
