"""Processes under one folder: each has a spool of its own, and what a dead one left is gone on with."""

from __future__ import annotations

from pathlib import Path

from observability.spool.claim import claim_writer
from observability.spool.reader import SpoolReader


def test_each_living_writer_has_a_folder_of_its_own(tmp_path: Path) -> None:
    (first, one), (second, two) = claim_writer(tmp_path), claim_writer(tmp_path)
    assert (first, second) == (tmp_path / "0", tmp_path / "1")
    one.close()
    two.close()


def test_the_next_process_goes_on_with_what_a_dead_one_left(tmp_path: Path) -> None:
    _, dead = claim_writer(tmp_path)
    dead.offer(b"left")
    dead.close()
    folder, writer = claim_writer(tmp_path)
    writer.offer(b"new")
    writer.close()
    assert folder == tmp_path / "0"
    reader = SpoolReader(folder)
    assert reader.read(10, 100).payloads == (b"left", b"new")
    reader.close()
