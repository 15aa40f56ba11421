"""The spool's files: numbered segments, read from the oldest on, each written by one writer in one go."""

from __future__ import annotations

import os
from pathlib import Path

from observability.spool import frame

_SUFFIX = ".segment"
_READ_BYTES = 1024 * 1024


def segment_path(folder: Path, number: int) -> Path:
    """Return the path of segment ``number``; names sort as the numbers do."""
    return folder / f"{number:012d}{_SUFFIX}"


def list_segments(folder: Path) -> list[int]:
    """Return the numbers of the folder's segments, ascending."""
    return sorted(int(path.stem) for path in folder.glob(f"*{_SUFFIX}") if path.stem.isdecimal())


def used_bytes(folder: Path) -> int:
    """Return the size of all segments. One that is removed meanwhile counts nothing."""
    return sum(segment_bytes(path) for path in folder.glob(f"*{_SUFFIX}"))


def sound_bytes(path: Path) -> int:
    """Return where the segment's last sound entry ends, reading it in bounded memory."""
    with path.open("rb") as file:
        end, data, at = 0, b"", 0
        while chunk := file.read(_READ_BYTES):
            data, at = data[at:] + chunk, 0
            while (entry := frame.decode(data, at)) is not None:
                end += entry[1] - at
                at = entry[1]
        return end


def cut_torn_tail(path: Path) -> int:
    """Shorten the segment to its sound entries, durably; return how many bytes were cut."""
    end, size = sound_bytes(path), path.stat().st_size
    if end == size:
        return 0
    with path.open("r+b") as file:
        file.truncate(end)
        os.fsync(file.fileno())
    return size - end


def sync_folder(folder: Path) -> None:
    """Make new and renamed names of the folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def segment_bytes(path: Path) -> int:
    """Return a segment's size; 0 for one that is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
