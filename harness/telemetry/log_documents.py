"""The lines of a finished log as documents. A line's id is its place: sent again, it is the same line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from observability.elastic.document import Document
from observability.elastic.streams import Stream


def live_id(run_id: str) -> str:
    """Return what the ids of the lines begin with that are shipped while the run goes on."""
    return f"{run_id}-live"


def live_documents(file: Path, run_id: str) -> Iterator[Document]:
    """Yield the lines that were written while the run went on, for a run that was not shipped then."""
    if file.exists():
        with file.open("rb") as lines:
            for number, line in enumerate(lines):
                yield Document(Stream.GENERATOR, f"{live_id(run_id)}-{number}", line.rstrip(b"\n"))


def line_documents(file: Path, run_id: str) -> Iterator[Document]:
    """Yield every line but the last, which is the verdict's."""
    with file.open("rb") as lines:
        for number, (line, _next) in enumerate(pairwise(lines)):
            yield Document(Stream.GENERATOR, f"{run_id}-client-{number}", line.rstrip(b"\n"))


def verdict_document(file: Path, run_id: str) -> Document:
    """Return the last line."""
    last = b""
    with file.open("rb") as lines:
        for last in lines:  # noqa: B007 - the file is read, not kept
            pass
    return Document(Stream.GENERATOR, f"{run_id}-verdict", last.rstrip(b"\n"))
