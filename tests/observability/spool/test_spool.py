"""Writer and reader over the same folder: what is accepted is read once, in order, whatever broke off."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from observability.spool.cursor import Cursor, CursorFile, read_cursor
from observability.spool.frame import HEADER_BYTES, encode
from observability.spool.lock import SpoolBusyError
from observability.spool.position import Position
from observability.spool.reader import SpoolReader
from observability.spool.segment import list_segments, segment_path
from observability.spool.segment_log import SegmentLog
from observability.spool.writer import SpoolCounts, SpoolLimits, SpoolWriter

QUICK = SpoolLimits(group_seconds=0.0)


def read_all(reader: SpoolReader, most: int = 1000) -> list[bytes]:
    found: list[bytes] = []
    while (batch := reader.read(most, 1 << 20)).payloads:
        found += batch.payloads
        reader.commit(batch.end, {})
    return found


def write_all(folder: Path, payloads: list[bytes], limits: SpoolLimits = QUICK) -> SpoolCounts:
    writer = SpoolWriter(folder, limits)
    for payload in payloads:
        writer.offer(payload)
    writer.close()
    return writer.counts


def test_what_was_accepted_is_read_in_order_over_several_segments(tmp_path: Path) -> None:
    payloads = [b"%04d" % number for number in range(1000)]
    writer = SpoolWriter(tmp_path, SpoolLimits(segment_bytes=600, group_seconds=0.0))
    for start in range(0, 1000, 50):  # 50 entries of 12 bytes fill a segment
        for payload in payloads[start : start + 50]:
            assert writer.offer(payload)
        assert writer.sync(5.0)
    writer.close()
    assert writer.counts == SpoolCounts(accepted=1000, refused=0, pending=0)
    assert len(list_segments(tmp_path)) >= 20
    assert read_all(SpoolReader(tmp_path), most=7) == payloads


def test_an_entry_is_accepted_once_it_can_be_read_from_disk(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, SpoolLimits(group_seconds=0.5))
    assert writer.offer(b"entry")
    assert writer.counts == SpoolCounts(accepted=0, refused=0, pending=1)
    assert writer.sync(5.0)
    assert writer.counts == SpoolCounts(accepted=1, refused=0, pending=0)
    assert segment_path(tmp_path, 1).read_bytes() == encode(b"entry")
    writer.close()


def test_uncommitted_entries_are_read_again_by_the_next_reader(tmp_path: Path) -> None:
    write_all(tmp_path, [b"a", b"b", b"c"])
    first = SpoolReader(tmp_path)
    first.commit(first.read(1, 100).end, {"stored": 1})
    assert first.read(2, 100).payloads == (b"b", b"c")
    first.close()
    second = SpoolReader(tmp_path)
    assert second.cursor.notes == {"stored": 1}
    assert read_all(second) == [b"b", b"c"]


def test_segments_go_once_the_cursor_has_passed_them(tmp_path: Path) -> None:
    for payload in (b"first", b"second", b"third"):  # each writer begins a segment
        write_all(tmp_path, [payload])
    assert list_segments(tmp_path) == [1, 2, 3]
    assert read_all(SpoolReader(tmp_path)) == [b"first", b"second", b"third"]
    assert list_segments(tmp_path) == [3]


def test_a_writer_never_reuses_the_number_of_a_segment_that_was_read_and_removed(tmp_path: Path) -> None:
    write_all(tmp_path, [b"old"])
    reader = SpoolReader(tmp_path)
    assert read_all(reader) == [b"old"]
    segment_path(tmp_path, 1).unlink()
    write_all(tmp_path, [b"new"])
    assert read_all(reader) == [b"new"]


def test_a_cursor_beyond_what_a_crash_left_of_its_segment_hides_nothing_that_comes_later(
    tmp_path: Path,
) -> None:
    write_all(tmp_path, [b"read but lost by the disk"])
    CursorFile(tmp_path).write(Cursor(Position(1, 33), {}))
    segment_path(tmp_path, 1).write_bytes(b"")
    write_all(tmp_path, [b"later"])
    assert read_all(SpoolReader(tmp_path)) == [b"later"]


def test_a_torn_tail_is_cut_at_the_writers_start(tmp_path: Path) -> None:
    segment_path(tmp_path, 1).write_bytes(encode(b"sound") + encode(b"torn off")[:-3])
    log = SegmentLog(tmp_path, 1000)
    assert log.torn_bytes == HEADER_BYTES + 5
    assert segment_path(tmp_path, 1).read_bytes() == encode(b"sound")


def test_an_entry_that_is_still_being_written_is_waited_for(tmp_path: Path) -> None:
    segment_path(tmp_path, 1).write_bytes(encode(b"one") + encode(b"two")[:5])
    reader = SpoolReader(tmp_path)
    batch = reader.read(10, 100)
    assert (batch.payloads, batch.damaged_bytes) == ((b"one",), 0)
    reader.commit(batch.end, {})
    segment_path(tmp_path, 1).write_bytes(encode(b"one") + encode(b"two"))
    assert reader.read(10, 100).payloads == (b"two",)


def test_damage_inside_a_finished_segment_is_passed_over_and_told(tmp_path: Path) -> None:
    bad = bytearray(encode(b"bad"))
    bad[-1] ^= 1
    segment_path(tmp_path, 1).write_bytes(encode(b"good") + bytes(bad) + encode(b"behind it"))
    segment_path(tmp_path, 2).write_bytes(encode(b"next"))
    batch = SpoolReader(tmp_path).read(10, 100)
    assert batch.payloads == (b"good", b"next")
    assert batch.damaged_bytes == (8 + 3) + (8 + 9)


def test_a_batch_holds_no_more_bytes_than_asked_and_one_entry(tmp_path: Path) -> None:
    write_all(tmp_path, [bytes([65 + number]) * 40 for number in range(5)])
    assert [len(p) for p in SpoolReader(tmp_path).read(100, 100).payloads] == [40, 40, 40]


def test_a_second_writer_and_a_second_reader_are_turned_away(tmp_path: Path) -> None:
    writer, reader = SpoolWriter(tmp_path), SpoolReader(tmp_path)
    with pytest.raises(SpoolBusyError, match="has a writer already"):
        SpoolWriter(tmp_path)
    with pytest.raises(SpoolBusyError, match="has a reader already"):
        SpoolReader(tmp_path)
    writer.close()
    reader.close()
    SpoolWriter(tmp_path).close()
    SpoolReader(tmp_path).close()


def test_a_cursor_that_is_none_is_refused_rather_than_guessed(tmp_path: Path) -> None:
    (tmp_path / "cursor.0").write_bytes(b'{"segment": 1}')
    with pytest.raises(ValueError, match="no slot of its cursor can be read"):
        read_cursor(tmp_path)


def test_a_cursor_whose_writing_broke_off_is_the_one_before_it(tmp_path: Path) -> None:
    file = CursorFile(tmp_path)
    for offset in (10, 20, 30):  # into slots 1, 0, 1
        file.write(Cursor(Position(1, offset), {"stored": offset}))
    slot = tmp_path / "cursor.1"
    slot.write_bytes(slot.read_bytes()[:20] + b"torn")
    assert read_cursor(tmp_path) == Cursor(Position(1, 20), {"stored": 20})
    CursorFile(tmp_path).write(Cursor(Position(1, 40), {}))
    assert read_cursor(tmp_path) == Cursor(Position(1, 40), {})


def test_the_end_lies_behind_what_is_there_and_before_what_comes(tmp_path: Path) -> None:
    write_all(tmp_path, [b"there"])
    reader = SpoolReader(tmp_path)
    end = reader.end()
    write_all(tmp_path, [b"comes"])
    assert reader.read(1, 100).end == end
    assert reader.read(2, 100).end > end


payload_lists = st.lists(st.binary(min_size=1, max_size=40), max_size=12)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(payload_lists, st.integers(0, 60), st.integers(1, 5)), min_size=1, max_size=5),
    st.integers(20, 200),
)
def test_every_accepted_entry_is_read_exactly_once_though_tails_are_torn_and_readers_restart(
    rounds: list[tuple[list[bytes], int, int]], segment_bytes: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        accepted: list[bytes] = []
        read: list[bytes] = []
        for payloads, torn_bytes, batches in rounds:
            log = SegmentLog(folder, segment_bytes)
            for payload in payloads:
                log.append([encode(payload)])
            log.close()
            accepted += payloads
            tear(folder, torn_bytes)
            reader = SpoolReader(folder)
            for _ in range(batches):
                batch = reader.read(3, 50)
                reader.commit(batch.end, {})
                read += batch.payloads
            reader.read(3, 50)  # read and never committed, as by a reader that is killed
            reader.close()
        SegmentLog(folder, segment_bytes)
        read += read_all(SpoolReader(folder))
        assert read == accepted


def tear(folder: Path, torn_bytes: int) -> None:
    """Leave the beginning of an entry that its writer did not live to complete."""
    segments = list_segments(folder)
    if segments:
        with segment_path(folder, segments[-1]).open("ab") as file:
            file.write(encode(bytes(range(1, 61)))[:torn_bytes])
