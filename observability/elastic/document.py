"""A document on its way: the stream, the id that every try of it carries, and its source as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """``source`` is one line of JSON with an ``@timestamp``. No two entries are equal, whatever they hold."""

    stream: str
    id: str
    source: bytes

    def to_entry(self) -> bytes:
        """Return the spool's entry: stream and id as a JSON line, then the source."""
        return _encode((self.stream, self.id)) + b"\n" + self.source

    def create_lines(self) -> tuple[bytes, bytes]:
        """Return the two lines of a bulk request that create the document."""
        return _encode({"create": {"_index": self.stream, "_id": self.id}}), self.source


_decode_head = msgspec.json.Decoder(tuple[str, str]).decode


def document_of(entry: bytes) -> Document:
    """Read ``to_entry``'s bytes. Raise ValueError for others."""
    head, _, source = entry.partition(b"\n")
    stream, identifier = _decode_head(head)  # msgspec's errors are ValueErrors
    return Document(stream, identifier, source)


def make_document(stream: str, identifier: str, fields: Mapping[str, Any]) -> Document:
    """Return a document of these fields; what is None is left out."""
    known = {name: value for name, value in fields.items() if value is not None}
    return Document(stream, identifier, _encode(known))
