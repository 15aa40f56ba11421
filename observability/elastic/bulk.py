"""One bulk request: send, and read what became of every single document.

A bulk answer of 200 can hold failures, so nothing counts as stored but an item that says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from elasticsearch import ApiError, Elasticsearch

from observability.elastic.client import FAILURES, explain
from observability.elastic.document import Document

_WHAT_WE_READ = "items.*._index,items.*.status,items.*.error.type,items.*.error.reason"
_BODY_AT_FAULT = (400, 413)
_CLOSED = "cluster_block_exception"
"""403, and yet for now only: the stream rolled over, and another shipper closed the index that it left."""


class Fate(Enum):
    """What became of one document."""

    STORED = auto()
    THERE_ALREADY = auto()
    TRY_AGAIN = auto()
    DEAD = auto()


@dataclass(frozen=True, slots=True)
class ItemResult:
    """``index`` is the backing index that answered; ``reason`` says why the document is not stored."""

    fate: Fate
    index: str = ""
    reason: str = ""


class UnavailableError(Exception):
    """There is no answer, or none about the documents: whether they are stored is not known."""


class BodyRefusedError(Exception):
    """The request as a whole is at fault (too large, or not readable), and nothing of it was stored."""


def bulk_create(client: Elasticsearch, documents: Sequence[Document]) -> list[ItemResult]:
    """Create the documents and return a result for each, in order. Raise the two errors above."""
    lines = [line for document in documents for line in document.create_lines()]
    try:
        # Lines that are encoded already are sent as they are, which the client's types do not say.
        answer = client.bulk(
            operations=lines,  # type: ignore[arg-type]
            require_data_stream=True,
            filter_path=_WHAT_WE_READ,
        )
    except ApiError as error:
        if error.status_code in _BODY_AT_FAULT:
            raise BodyRefusedError(explain(error)) from error
        raise UnavailableError(explain(error)) from error
    except FAILURES as error:
        raise UnavailableError(explain(error)) from error
    items = answer.get("items", [])
    if len(items) != len(documents):
        raise UnavailableError(f"Elasticsearch answered for {len(items)} of {len(documents)} documents")
    return [_result(item["create"]) for item in items]


def _result(item: Mapping[str, Any]) -> ItemResult:
    status, index, error = int(item["status"]), str(item.get("_index", "")), item.get("error", {})
    reason = f"{status} {error.get('type', '')}: {error.get('reason', '')}"
    if status < 300:
        return ItemResult(Fate.STORED, index)
    if status == 409:  # of a create: a document with this id is there
        return ItemResult(Fate.THERE_ALREADY, index)
    if status == 429 or status >= 500 or error.get("type") == _CLOSED:
        return ItemResult(Fate.TRY_AGAIN, index, reason)
    return ItemResult(Fate.DEAD, index, reason)
