"""A spool that cannot take more: by its own bound, by its memory, by the disk. The caller never waits."""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from observability.spool.reader import SpoolReader
from observability.spool.segment import used_bytes
from observability.spool.writer import SpoolCounts, SpoolLimits, SpoolWriter

ENTRY_BYTES = 100
PAYLOAD = b"x" * (ENTRY_BYTES - 8)


def test_what_exceeds_the_total_bytes_is_refused_and_counted(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, SpoolLimits(total_bytes=10 * ENTRY_BYTES, group_seconds=0.0))
    assert [writer.offer(PAYLOAD) for _ in range(12)] == [True] * 10 + [False] * 2
    assert writer.sync(5.0)
    assert writer.counts == SpoolCounts(accepted=10, refused=2, pending=0)
    assert used_bytes(tmp_path) == 1000
    writer.close()


def test_room_that_the_reader_makes_is_used_again(tmp_path: Path) -> None:
    limits = SpoolLimits(total_bytes=4 * ENTRY_BYTES, segment_bytes=2 * ENTRY_BYTES, group_seconds=0.0)
    writer, reader = SpoolWriter(tmp_path, limits), SpoolReader(tmp_path)
    taken = 0
    deadline = time.monotonic() + 10
    while taken < 40 and time.monotonic() < deadline:
        taken += writer.offer(PAYLOAD)
        reader.commit(reader.read(10, 10_000).end, {})
        assert used_bytes(tmp_path) <= limits.total_bytes
    assert taken == 40
    writer.close()


def test_a_spool_that_one_segment_fills_is_not_stuck_once_that_is_read(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, SpoolLimits(total_bytes=4 * ENTRY_BYTES, group_seconds=0.0))
    reader = SpoolReader(tmp_path)
    assert [writer.offer(PAYLOAD) for _ in range(5)] == [True] * 4 + [False]
    assert writer.sync(5.0)

    def read_and_offer() -> bool:
        reader.commit(reader.read(10, 10_000).end, {})
        return writer.offer(PAYLOAD)

    wait_until(read_and_offer)
    writer.close()


def test_the_memory_of_what_is_not_on_disk_yet_is_bounded(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, SpoolLimits(pending_bytes=3 * ENTRY_BYTES, group_seconds=0.5))
    assert [writer.offer(PAYLOAD) for _ in range(4)] == [True, True, True, False]
    writer.close()
    assert writer.counts == SpoolCounts(accepted=3, refused=1, pending=0)


def test_a_closed_spool_and_an_oversized_entry_are_refusals_too(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path)
    assert not writer.offer(b"")
    assert not writer.offer(bytes(5 * 1024 * 1024))
    writer.close()
    assert not writer.offer(b"late")
    assert writer.counts == SpoolCounts(accepted=0, refused=3, pending=0)


def test_a_file_that_may_not_grow_costs_a_group_and_the_next_segment_goes_on(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=_write_with_limited_file_size, args=(tmp_path,))
    child.start()
    child.join(60)
    assert child.exitcode == 0


def _write_with_limited_file_size(folder: Path) -> None:
    """Groups of 4 entries into files that may have 1,000 bytes: two groups a segment, each third refused."""
    writer = SpoolWriter(folder, SpoolLimits(group_seconds=0.05))
    resource.setrlimit(resource.RLIMIT_FSIZE, (10 * ENTRY_BYTES, resource.RLIM_INFINITY))
    for _ in range(6):
        for _ in range(4):
            writer.offer(PAYLOAD)
        writer.sync(5.0)
    writer.close()
    assert writer.counts == SpoolCounts(accepted=16, refused=8, pending=0), writer.counts
    assert writer.failure == "the spool could not be written: File too large"
    batch = SpoolReader(folder).read(100, 1 << 20)
    assert (len(batch.payloads), batch.damaged_bytes) == (16, 0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("mounting a small file system takes root")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_full_disk_loses_nothing_that_was_accepted_and_refuses_the_rest(small_disk: Path) -> None:
    writer = SpoolWriter(small_disk, SpoolLimits(segment_bytes=64 * 1024, group_seconds=0.0))
    payloads = [b"%06d" % number + bytes(994) for number in range(400)]
    started = time.monotonic()
    for payload in payloads:
        writer.offer(payload)
        if int(payload[:6]) % 10 == 9:
            writer.sync(5.0)
    assert time.monotonic() - started < 5
    full = writer.counts
    assert full.accepted + full.refused == 400
    assert 100 < full.accepted < 256
    assert writer.failure == "the spool could not be written: No space left on device"
    reader = SpoolReader(small_disk)
    batch = reader.read(1000, 1 << 20)
    assert len(batch.payloads) == full.accepted
    assert batch.damaged_bytes == 0
    reader.close()
    writer.close()


def test_a_reader_moves_on_though_the_spool_has_filled_its_disk(small_disk: Path) -> None:
    writer, reader = SpoolWriter(small_disk, SpoolLimits(segment_bytes=4096)), SpoolReader(small_disk)
    while writer.counts.refused == 0:
        writer.offer(bytes(2000))
        writer.sync(5.0)
    with pytest.raises(OSError, match="No space left"):
        fill_the_rest(small_disk / "ballast")
    batch = reader.read(1000, 1 << 20)
    reader.commit(batch.end, {"stored": len(batch.payloads)})
    assert writer.offer(bytes(2000))
    assert writer.sync(5.0)
    assert reader.read(10, 1 << 20).payloads == (bytes(2000),)
    reader.close()
    writer.close()


def test_a_disk_that_has_room_again_is_used_again(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(200 * 1024))
    writer = SpoolWriter(small_disk, SpoolLimits(group_seconds=0.0))
    writer.offer(bytes(100 * 1024))
    writer.sync(5.0)
    assert writer.counts == SpoolCounts(accepted=0, refused=1, pending=0)
    ballast.unlink()
    writer.offer(bytes(100 * 1024))
    writer.sync(5.0)
    assert writer.counts == SpoolCounts(accepted=1, refused=1, pending=0)
    writer.close()


def fill_the_rest(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
            os.fsync(file.fileno())


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
