"""From the spool to Elasticsearch, batch by batch: send, read every item's result, then move the cursor.

The order is the promise. Floors are on disk before a try, dead letters before the cursor, and the cursor
moves only when each document before it is stored, was there already, or lies among the dead letters. Killed
at any point, the next shipper begins at the cursor, tries what was tried before with the same ids, and so
neither loses nor doubles a document.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from observability.elastic.bulk import BodyRefusedError, Fate, ItemResult, UnavailableError
from observability.elastic.dead_letters import DeadLetters
from observability.elastic.document import Document, document_of
from observability.elastic.ledger import Ledger, StreamTally
from observability.elastic.patience import Patience
from observability.elastic.rollover import Rollovers
from observability.spool.position import Position
from observability.spool.reader import Batch, SpoolReader

MAX_BATCH_DOCUMENTS = 2_000
MAX_BATCH_BYTES = 4 * 1024 * 1024
_log = logging.getLogger("tidegate.shipper")

Bulk = Callable[[Sequence[Document]], list[ItemResult]]


class Shipper:
    """Moves one spool's entries. ``ledger`` tells what became of them."""

    def __init__(
        self, reader: SpoolReader, bulk: Bulk, rollovers: Rollovers, letters: DeadLetters, patience: Patience
    ) -> None:
        self._reader, self._bulk = reader, bulk
        self._rollovers, self._letters, self._patience = rollovers, letters, patience
        self.ledger = Ledger.from_notes(reader.cursor.notes)
        self._doubtful_until = reader.end()

    def ship_once(self) -> bool:
        """Ship one batch; return whether there was one. Raise GaveUpError as ``Patience`` does."""
        batch = self._reader.read(MAX_BATCH_DOCUMENTS, MAX_BATCH_BYTES)
        if batch.end == self._reader.cursor.position:
            return False
        documents = [document_of(payload) for payload in batch.payloads]
        self._prepare(documents)
        results = self._deliver(documents, self._is_doubtful())
        self._commit(batch, results)
        return True

    def give_up(self, reason: str) -> None:
        """Write down why entries are left, where the disk takes it."""
        self.ledger = replace(self.ledger, trouble=reason)
        with suppress(OSError):
            self._reader.commit(self._reader.cursor.position, self.ledger.to_notes())

    def _is_doubtful(self) -> bool:
        """Whether an earlier shipper may have tried this batch: what was there when we began."""
        return self._reader.cursor.position < self._doubtful_until

    def _prepare(self, documents: Sequence[Document]) -> None:
        streams = dict.fromkeys(document.stream for document in documents)
        while True:
            try:
                if self._rollovers.note_floors(streams):
                    self._write_cursor(self._reader.cursor.position)
            except UnavailableError as error:
                self._wait(str(error))
            else:
                return

    def _deliver(self, documents: Sequence[Document], doubtful: bool) -> dict[Document, ItemResult]:
        """Try until each document has its end. ``doubtful``: an earlier try may have stored some of them."""
        ends: dict[Document, ItemResult] = {}
        todo = list(documents)
        while todo:
            try:
                results = self._try(todo, doubtful)
            except BodyRefusedError as error:
                return ends | self._deliver_in_halves(todo, doubtful, str(error))
            except UnavailableError as error:
                doubtful = True
                self._wait(str(error))
                continue
            again = {document: r for document, r in results.items() if r.fate is Fate.TRY_AGAIN}
            ends |= {document: r for document, r in results.items() if document not in again}
            todo = list(again)
            if again:
                doubtful = True
                self._wait(next(iter(again.values())).reason)
        self._patience.succeeded()
        return ends

    def _deliver_in_halves(
        self, documents: Sequence[Document], doubtful: bool, reason: str
    ) -> dict[Document, ItemResult]:
        """Find the document that the server cannot take, and send the others."""
        if len(documents) == 1:
            return {documents[0]: ItemResult(Fate.DEAD, reason=reason)}
        middle = len(documents) // 2
        first = self._deliver(documents[:middle], doubtful)
        return first | self._deliver(documents[middle:], doubtful)

    def _try(self, documents: Sequence[Document], doubtful: bool) -> dict[Document, ItemResult]:
        if not doubtful:
            return dict(zip(documents, self._bulk(documents), strict=True))
        before = self._rollovers.stored_before(documents)
        results = {document: ItemResult(Fate.THERE_ALREADY) for document in before}
        rest = [document for document in documents if document not in before]
        if rest:
            results |= zip(rest, self._bulk(rest), strict=True)
            self._look_again(results)
        return results

    def _look_again(self, results: dict[Document, ItemResult]) -> None:
        """Ask once more for what a rollover between the question and the try let into another index."""
        strays = [
            document
            for document, result in results.items()
            if result.fate is Fate.STORED and self._rollovers.went_elsewhere(document.stream, result.index)
        ]
        for document in self._rollovers.stored_before(strays):
            results[document] = ItemResult(Fate.THERE_ALREADY)

    def _commit(self, batch: Batch, results: dict[Document, ItemResult]) -> None:
        letters = [(document, r.reason) for document, r in results.items() if r.fate is Fate.DEAD]
        self._persist(lambda: self._letters.append(letters))
        for document, result in results.items():
            if result.index and result.fate is not Fate.DEAD:
                self._rollovers.raise_floor(document.stream, result.index)
        damaged = self.ledger.damaged_bytes + batch.damaged_bytes
        self.ledger = replace(self.ledger.plus(_tallies(results)), damaged_bytes=damaged, trouble="")
        self._write_cursor(batch.end)

    def _write_cursor(self, position: Position) -> None:
        floors, letters = dict(self._rollovers.floors), self._letters.size_bytes
        self.ledger = replace(self.ledger, floors=floors, dead_letter_bytes=letters)
        self._persist(lambda: self._reader.commit(position, self.ledger.to_notes()))

    def _persist(self, write: Callable[[], None]) -> None:
        """Write to the spool's folder as often as its disk needs: what is not on disk did not happen."""
        while True:
            try:
                return write()
            except OSError as error:
                self._wait(f"the spool's folder could not be written: {error.strerror}")

    def _wait(self, reason: str) -> None:
        _log.warning("trying again: %s", reason)
        self._patience.after_failure(reason)


def _tallies(results: dict[Document, ItemResult]) -> dict[str, StreamTally]:
    counted = Counter((document.stream, result.fate) for document, result in results.items())
    return {
        stream: StreamTally(
            stored=counted[stream, Fate.STORED],
            duplicates=counted[stream, Fate.THERE_ALREADY],
            dead_lettered=counted[stream, Fate.DEAD],
        )
        for stream in dict.fromkeys(stream for stream, _ in counted)
    }
