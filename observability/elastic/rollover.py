"""Ids across a rollover: an earlier try may have stored a document in an index that is no longer written.

``create`` with an id refuses a second copy only within the write index of a data stream. When the answer of a
try was lost and the stream rolled over since, the same id would be created again. So the shipper keeps, for
each stream, its *floor*: the write index when the last batch was acknowledged. No try whose end is unknown
went to an index before it. Before such a batch is tried again, the indices from the floor up to the present
write index (without it) are asked for its ids. They are closed for writes first, which waits for what is
under way in them: a try that the server still works on has then either left its document or never will.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from elasticsearch import Elasticsearch, NotFoundError

from observability.elastic.bulk import UnavailableError
from observability.elastic.client import FAILURES, explain
from observability.elastic.document import Document


class Rollovers:
    """Knows each stream's floor, and what lies between it and the present write index."""

    def __init__(self, client: Elasticsearch, floors: Mapping[str, str]) -> None:
        self._client = client
        self.floors = dict(floors)
        self._asked: dict[str, str] = {}

    def note_floors(self, streams: Iterable[str]) -> bool:
        """Set the floor of each stream that has none; return whether one was set.

        It must be on disk before the first try. "" stands for a stream that is not there yet.
        """
        new = [stream for stream in streams if stream not in self.floors]
        for stream in new:
            self.floors[stream] = self._backing(stream)[-1]
        return bool(new)

    def raise_floor(self, stream: str, index: str) -> None:
        """Note the write index of an acknowledged batch, when no try of a later one is under way."""
        self.floors[stream] = index

    def stored_before(self, documents: Sequence[Document]) -> set[Document]:
        """Return those that an index before the write index holds, and see that the write index does not."""
        by_stream: dict[str, list[Document]] = defaultdict(list)
        for document in documents:
            by_stream[document.stream].append(document)
        try:
            return {d for stream, some in by_stream.items() for d in self._stored_before(stream, some)}
        except FAILURES as error:
            raise UnavailableError(explain(error)) from error

    def went_elsewhere(self, stream: str, index: str) -> bool:
        """Whether a document was created in another index than the write index of the last question."""
        return self._asked.get(stream) != index

    def _stored_before(self, stream: str, documents: Sequence[Document]) -> list[Document]:
        passed, write_index = self._passed(stream)
        self._asked[stream] = write_index
        ids = [document.id for document in documents]
        found: set[str] = set()
        for index in passed:
            found |= self._find(index, ids)
        if found:
            self._remove(write_index, found)
        return [document for document in documents if document.id in found]

    def _passed(self, stream: str) -> tuple[Sequence[str], str]:
        """Return the indices from the floor on that are no longer written, and the one that is.

        A floor that is gone (its retention is over) is older than all that is left.
        """
        *closed, write_index = self._backing(stream)
        floor = self.floors[stream]
        if floor == write_index:
            return (), write_index
        return closed[closed.index(floor) if floor in closed else 0 :], write_index

    def _find(self, index: str, ids: Sequence[str]) -> set[str]:
        """Close the index and return which of the ids it has, also those that no refresh has shown yet."""
        self._client.indices.add_block(index=index, block="write")
        answer = self._client.mget(index=index, ids=ids, source=False, realtime=True)
        if any("error" in doc for doc in answer["docs"]):
            raise UnavailableError(f"Elasticsearch could not look into {index}")
        return {doc["_id"] for doc in answer["docs"] if doc.get("found")}

    def _remove(self, index: str, ids: Iterable[str]) -> None:
        """Delete a second copy, which a rollover between question and try may have let in."""
        operations = [{"delete": {"_index": index, "_id": each}} for each in sorted(ids)]
        items = self._client.bulk(operations=operations)["items"]
        if any(item["delete"]["status"] not in (200, 404) for item in items):
            raise UnavailableError(f"Elasticsearch could not delete second copies in {index}")

    def _backing(self, stream: str) -> list[str]:
        """Return the stream's indices, the write index last; [""] for a stream that is not there."""
        try:
            streams = self._client.indices.resolve_index(name=stream)["data_streams"]
        except NotFoundError:
            return [""]
        except FAILURES as error:
            raise UnavailableError(explain(error)) from error
        return list(streams[0]["backing_indices"]) if streams else [""]
