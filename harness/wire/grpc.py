"""gRPC over HTTP/2: the framing of messages, the fields of a request, the names of its statuses."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from harness.wire.hpack_block import ConstantFields

PREFIX_BYTES = 5
MAX_MESSAGE_BYTES = 64 << 20
STATUS_NAMES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE"),
    *("UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)

_prefix = struct.Struct(">BI")


class GrpcRequest(NamedTuple):
    """What is sent for one call: its own fields (an HPACK block) and its message with prefix."""

    fields: bytes
    message: bytes


class GrpcError(ValueError):
    """The bytes are not a gRPC answer that we can read."""


def prefixed(message: bytes) -> bytes:
    """Return a message with its prefix: not compressed, and its length."""
    return _prefix.pack(0, len(message)) + message


def constant_fields(
    authority: str, path: str, timeout_seconds: float, secure: bool, metadata: Iterable[tuple[str, str]]
) -> ConstantFields:
    """Return the fields of every request to one method. Raises ValueError for what no field may hold."""
    fields = [
        (":method", "POST"),
        (":scheme", "https" if secure else "http"),
        (":path", path),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "tidegate"),
        ("grpc-timeout", _timeout(timeout_seconds)),
        *metadata,
    ]
    return ConstantFields((name.encode(), value.encode()) for name, value in fields)


def _timeout(seconds: float) -> str:
    """Write a timeout as gRPC does: at most eight digits and a unit."""
    milliseconds = max(1, round(seconds * 1e3))
    return f"{milliseconds}m" if milliseconds < 10**8 else f"{min(round(seconds), 10**8 - 1)}S"


def status_name(text: bytes) -> str | None:
    """Return the name of a ``grpc-status``, or None for what is none."""
    if not text.isdigit() or len(text) > 9:
        return None
    code = int(text)
    return STATUS_NAMES[code] if code < len(STATUS_NAMES) else f"STATUS_{code}"


class MessageSplitter:
    """Cuts messages out of DATA payloads, whose borders mean nothing."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def idle(self) -> bool:
        """Whether the next byte begins a message."""
        return not self._rest

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield every message that is complete. Raises GrpcError."""
        data = self._rest + data
        at = 0
        while len(data) - at >= PREFIX_BYTES:
            compressed, size = _prefix.unpack_from(data, at)
            if compressed:
                raise GrpcError("a compressed message, which nobody asked for")
            if size > MAX_MESSAGE_BYTES:
                raise GrpcError("a message that is too long")
            if len(data) - at - PREFIX_BYTES < size:
                break
            yield data[at + PREFIX_BYTES : at + PREFIX_BYTES + size]
            at += PREFIX_BYTES + size
        self._rest = data[at:]
