"""A run's documents on their way to Elasticsearch: into a spool, and out of it by a process of its own.

Nothing here is on the way of a request. While load is sent only the master's own few log lines are offered,
which never waits; the records follow when the load is over, and wait for room where the spool has none.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.telemetry.completeness import StreamCounts
from observability.elastic.document import Document, document_of
from observability.elastic.launch import ShipperProcess
from observability.elastic.ledger import Ledger, StreamTally
from observability.elastic.streams import Stream
from observability.spool.cursor import read_cursor
from observability.spool.reader import end_of, unread_entries
from observability.spool.writer import SpoolWriter

SPOOL = "spool"
DRAIN_SECONDS = 60.0
_POLL_SECONDS = 0.05


class Shipment:
    """One run's spool and its shipper. ``patience_seconds``: how long the store may take no document."""

    def __init__(self, run_dir: Path, url: str, patience_seconds: float = DRAIN_SECONDS) -> None:
        """Raise OSError where the spool or the process cannot be made."""
        self.folder = run_dir / SPOOL
        self.writer = SpoolWriter(self.folder)
        self._process = ShipperProcess(self.folder, url, patience_seconds)
        self._patience_seconds = patience_seconds
        self._sent: Counter[str] = Counter()
        self._gave_up = False
        self.is_open = True

    def note_sent(self, stream: Stream, documents: int) -> None:
        """Count documents that were offered to ``writer`` by others: a log's handler, an earlier shipment."""
        self._sent[stream] += documents

    def has_sent(self, stream: Stream) -> bool:
        """Whether documents of the stream were sent."""
        return self._sent[stream] > 0

    def send(self, documents: Iterable[Document]) -> None:
        """Offer each document, waiting for room while the shipper makes some."""
        for document in documents:
            entry = document.to_entry()
            if not self._gave_up:
                self._gave_up = not self._wait_for_room(len(entry))
            self.writer.offer(entry)
            self._sent[document.stream] += 1

    def settle(self) -> bool:
        """Wait until the shipper has settled all that was accepted; False when it makes no headway."""
        self.writer.sync(self._patience_seconds)
        end, position = end_of(self.folder), read_cursor(self.folder).position
        deadline = time.monotonic() + self._patience_seconds
        while position < end:
            if time.monotonic() > deadline or not self._process.is_alive():
                return False
            time.sleep(_POLL_SECONDS)
            before, position = position, read_cursor(self.folder).position
            if position > before:
                deadline = time.monotonic() + self._patience_seconds
        return True

    def remove(self) -> None:
        """Remove the spool, of which nothing is needed any more. The shipper has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def finish(self) -> None:
        """End the spool and the shipper; what is left stays in the folder."""
        if self.is_open:
            self.writer.close()
            self._process.finish()
        self.is_open = False

    def counts(self) -> Mapping[Stream, StreamCounts]:
        """Return what became of each stream's documents, once all is settled or the shipper has ended.

        ``stored`` is for the store to say.
        """
        ledger, waiting = self.ledger(), self._waiting()
        return {
            stream: _counts(sent, ledger.streams.get(stream, StreamTally()), waiting[stream])
            for stream in Stream
            if (sent := self._sent[stream])
        }

    def ledger(self) -> Ledger:
        """Return what the shipper wrote down last."""
        return Ledger.from_notes(read_cursor(self.folder).notes)

    def _wait_for_room(self, entry_bytes: int) -> bool:
        """Wait for it; False when none was made in time, and none need be waited for any more."""
        deadline = time.monotonic() + self._patience_seconds
        while not self.writer.has_room(entry_bytes):
            if time.monotonic() > deadline or not self._process.is_alive():
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _waiting(self) -> Counter[str]:
        return Counter(document_of(entry).stream for entry in unread_entries(self.folder))


def _counts(sent: int, tally: StreamTally, waiting: int) -> StreamCounts:
    settled = tally.stored + tally.duplicates + tally.dead_lettered
    return StreamCounts(
        sent=sent,
        acknowledged=tally.stored,
        duplicates=tally.duplicates,
        dead_lettered=tally.dead_lettered,
        dropped=sent - settled - waiting,
        waiting=waiting,
    )
