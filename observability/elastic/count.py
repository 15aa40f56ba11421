"""How many documents of a run the store holds: the other side of what was sent."""

from __future__ import annotations

from elasticsearch import Elasticsearch, NotFoundError

from observability.elastic.streams import Stream


def stored_documents(client: Elasticsearch, stream: Stream, run_id: str) -> int:
    """Return the stream's documents of a run, over all its indices. Raise what the client raises."""
    try:
        client.indices.refresh(index=stream)
        return int(client.count(index=stream, query={"term": {"labels.run_id": run_id}})["count"])
    except NotFoundError:  # nothing was ever stored in it
        return 0
