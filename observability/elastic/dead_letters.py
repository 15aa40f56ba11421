"""Documents that the server refuses for good: kept as JSON lines with the reason, for a person to read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from observability.elastic.document import Document

NAME = "dead-letters.ndjson"


class DeadLetters:
    """Appends to ``dead-letters.ndjson``. What stands behind ``sound_bytes`` was not committed: it is cut."""

    def __init__(self, folder: Path, sound_bytes: int) -> None:
        self._handle = os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        os.ftruncate(self._handle, sound_bytes)
        self.size_bytes = sound_bytes

    def append(self, letters: Iterable[tuple[Document, str]]) -> None:
        """Write each document with its reason, durably. Raise OSError when the disk does not take them."""
        lines = b"".join(map(_line, letters))
        if not lines:
            return
        os.ftruncate(self._handle, self.size_bytes)  # of a try that the disk cut short
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(self._handle, rest) :]
        os.fdatasync(self._handle)
        self.size_bytes += len(lines)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)


def _line(letter: tuple[Document, str]) -> bytes:
    document, reason = letter
    told = {
        "reason": reason,
        "stream": document.stream,
        "id": document.id,
        "source": document.source.decode("utf-8", "replace"),
    }
    return msgspec.json.encode(told) + b"\n"
