"""HPACK blocks for requests: constant fields by reference, a request's own fields as literals (RFC 7541).

A general encoder would work out for every request what is known beforehand: which fields repeat. Decoding,
where the peer decides, is left to the package hpack.
"""

from __future__ import annotations

from collections.abc import Iterable

Fields = tuple[tuple[bytes, bytes], ...]
"""Names (in lower case) and values, as they stand in the block."""

_STATIC_ENTRIES = 61
_ENTRY_OVERHEAD_BYTES = 32
_WITHOUT_INDEXING, _WITH_INDEXING, _INDEXED = (4, 0x00), (6, 0x40), (7, 0x80)


def literal(name: bytes, value: bytes) -> bytes:
    """Return a field that leaves no trace in the peer's table.

    Raises ValueError, without repeating the value, for what no field may hold.
    """
    return _literal(name, value, _WITHOUT_INDEXING)


class ConstantFields:
    """The fields that every request of a connection shares.

    The first request puts them into the peer's table; all others name them by index, one byte each, as other
    gRPC clients do: a target under load must not pay more for our headers than for theirs.
    """

    __slots__ = ("_again", "_first", "_plain", "_table_bytes")

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        fields = list(fields)
        self._table_bytes = sum(_ENTRY_OVERHEAD_BYTES + len(name) + len(value) for name, value in fields)
        self._first = b"".join(_literal(name, value, _WITH_INDEXING) for name, value in fields)
        self._plain = b"".join(literal(name, value) for name, value in fields)
        newest = _STATIC_ENTRIES + 1
        places = range(newest + len(fields) - 1, newest - 1, -1)
        self._again = b"".join(_integer(place, *_INDEXED) for place in places)

    def block(self, table_bytes: int, *, first: bool) -> bytes:
        """Return the block for a peer whose table holds ``table_bytes``; ``first`` on its connection or not.

        A table that holds less than the protocol's default is not used at all.
        """
        if table_bytes < max(4096, self._table_bytes) or self._table_bytes > 4096:
            return self._plain
        return self._first if first else self._again


def _literal(name: bytes, value: bytes, form: tuple[int, int]) -> bytes:
    if (
        not name
        or name != name.lower()
        or not (name + value).isascii()
        or not (name + value).decode().isprintable()
    ):
        raise ValueError(f"the field {name.decode('latin-1')!r} holds a character that no field may hold")
    return bytes((form[1],)) + _string(name) + _string(value)


def _string(text: bytes) -> bytes:
    return _integer(len(text), 7, 0x00) + text


def _integer(value: int, prefix_bits: int, first: int) -> bytes:
    """Return an integer whose first byte shares its place with the bits of ``first``."""
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes((first | value,))
    out = bytearray((first | limit,))
    value -= limit
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
