"""How an entry lies in a segment: length, CRC32C, payload; and where sound entries end.

Length and checksum are little-endian unsigned 32-bit numbers. The checksum (Castagnoli's polynomial, RFC 3720
B.4) covers the length's four bytes as well as the payload: a run of zeros, which is what a crash leaves of a
file that had grown, is then no entry of length 0.
"""

from __future__ import annotations

import struct

import google_crc32c

_HEADER = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
HEADER_BYTES = _HEADER.size
MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
"""More is refused: a reader holds whole entries in memory, and a damaged length must not make it wait."""


def encode(payload: bytes) -> bytes:
    """Return the entry's bytes. Raise ValueError for a payload that is empty or above the limit."""
    if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
        raise ValueError(f"a payload has 1 to {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
    return _HEADER.pack(len(payload), _checksum(_LENGTH.pack(len(payload)), payload)) + payload


def decode(data: bytes, start: int = 0) -> tuple[bytes, int] | None:
    """Return the payload of the entry at ``start`` and where the next one begins; None where none is sound.

    None says "cut off" and "damaged" alike: at the end of a file that is being written they cannot be told
    apart.
    """
    body = start + HEADER_BYTES
    if len(data) < body:
        return None
    length, checksum = _HEADER.unpack_from(data, start)
    end = body + length
    if not 0 < length <= MAX_PAYLOAD_BYTES or len(data) < end:
        return None
    payload = data[body:end]
    return (payload, end) if _checksum(data[start : start + 4], payload) == checksum else None


def _checksum(length: bytes, payload: bytes) -> int:
    checksum: int = google_crc32c.value(length + payload)
    return checksum
