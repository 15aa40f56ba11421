"""What the shipper's tests share: a spool with documents in it, and a shipper that hurries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from observability.elastic.bulk import ItemResult, bulk_create
from observability.elastic.client import connect
from observability.elastic.dead_letters import DeadLetters
from observability.elastic.document import Document, make_document
from observability.elastic.ledger import Ledger, StreamTally
from observability.elastic.patience import Patience
from observability.elastic.rollover import Rollovers
from observability.elastic.shipper import Shipper
from observability.elastic.streams import Stream
from observability.spool.cursor import read_cursor
from observability.spool.reader import SpoolReader
from observability.spool.writer import SpoolWriter

STREAM = Stream.REQUESTS
Send = Callable[[Sequence[Document]], list[ItemResult]]


def document(number: int, stream: Stream = STREAM, run_id: str = "run", **fields: object) -> Document:
    told = {"@timestamp": "2026-01-01T00:00:00.000Z", "labels.run_id": run_id, "tidegate.seq": number}
    return make_document(stream, f"{run_id}-{number}", {**told, **fields})


def spool_documents(folder: Path, documents: Sequence[Document]) -> None:
    writer = SpoolWriter(folder)
    for each in documents:
        assert writer.offer(each.to_entry())
    writer.close()
    assert writer.counts.accepted == len(documents)


class OneShipper:
    """A shipper of one life; ``wrap`` may spoil how it sends."""

    def __init__(self, folder: Path, url: str, wrap: Callable[[Send], Send] = lambda send: send) -> None:
        self.client = connect(url, timeout_seconds=10)
        self.reader = SpoolReader(folder)
        ledger = Ledger.from_notes(self.reader.cursor.notes)
        self.letters = DeadLetters(folder, ledger.dead_letter_bytes)
        self.patience = Patience(first_seconds=0.01, longest_seconds=0.05)
        send = wrap(lambda documents: bulk_create(self.client, documents))
        rollovers = Rollovers(self.client, ledger.floors)
        self.shipper = Shipper(self.reader, send, rollovers, self.letters, self.patience)

    def ship_all(self) -> Ledger:
        while self.shipper.ship_once():
            pass
        self.end()
        return self.shipper.ledger

    def end(self) -> None:
        self.letters.close()
        self.reader.close()
        self.client.close()


def tally(folder: Path, stream: Stream = STREAM) -> StreamTally:
    return Ledger.from_notes(read_cursor(folder).notes).streams.get(stream, StreamTally())
