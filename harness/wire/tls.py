"""TLS without a socket: plain bytes on one side, records on the other (ssl.MemoryBIO)."""

from __future__ import annotations

import ssl
from pathlib import Path

_READ_BYTES = 1 << 16


def client_context(
    verify: bool = True, ca_file: Path | None = None, *, alpn: str = "http/1.1"
) -> ssl.SSLContext:
    """Return a context for clients of one protocol. ``ca_file`` adds trusted authorities (PEM)."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=str(ca_file))
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    return context


class TlsChannel:
    """One connection's TLS. Every method returns at once; ``outgoing`` must be sent after each of them.

    Handshake, certificate and record errors are raised as ``ssl.SSLError``.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "ready")

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.ready = False

    def handshake(self) -> bool:
        """Take the handshake as far as the bytes reach; True once it is complete."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.ready = True
        return True

    def receive(self, records: bytes) -> None:
        """Take bytes from the network; empty bytes mean its end."""
        if records:
            self._incoming.write(records)
        else:
            self._incoming.write_eof()

    def read(self) -> bytes:
        """Return all plain bytes that are complete."""
        pieces: list[bytes] = []
        try:
            while piece := self._object.read(_READ_BYTES):
                pieces.append(piece)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass  # no whole record is left, or the server said goodbye: the socket's end follows
        return b"".join(pieces)

    def write(self, data: bytes) -> None:
        """Encrypt plain bytes (after the handshake)."""
        self._object.write(data)

    def outgoing(self) -> bytes:
        """Return the bytes that the network must get now."""
        return self._outgoing.read()
