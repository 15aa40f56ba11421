"""Bytes to and from one address of a target: connect, TLS, write, stamped reads. Watchers on gevent's hub."""

from __future__ import annotations

import _socket  # gevent's and the standard library's sockets cost a Python frame for every read
import errno
import os
import ssl
import time
from collections.abc import Sequence
from typing import Any, Protocol

from harness.load.stamped import ReadCounts, ask_for_stamps, receive
from harness.wire.tls import TlsChannel

_READ, _WRITE = 1, 2  # libev's event masks
_RECEIVE_BYTES = 1 << 16
_IP_BIND_ADDRESS_NO_PORT = 24  # Linux; the module has no name for it
_OURS = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
"""Errors of this machine, not of the target: no descriptor, no port, no memory."""

EOF = "eof"
"""The reason of an orderly end by the target; every other reason is a broken connection."""


class Owner(Protocol):
    """Who takes a link's bytes. After ``on_closed`` and ``on_not_connected`` nothing more comes."""

    def on_open(self) -> None:
        """Bytes can be written."""

    def on_bytes(self, data: bytes, now_ns: int) -> None:
        """Take what arrived, with its instant."""

    def on_closed(self, reason: str) -> None:
        """The open link has ended."""

    def on_not_connected(self, reason: str, ours: bool) -> None:
        """No address took the connection; ``ours``: this machine refused, not the target."""


class Link:
    """One connection. ``address`` is the index of the address in use, ``began_ns`` when its turn began.

    It goes out from the socket address ``source``, or from where the system chooses. Reads are added to
    ``counts``.
    """

    __slots__ = (
        "_addresses",
        "_context",
        "_counts",
        "_first",
        "_host",
        "_loop",
        "_out",
        "_owner",
        "_reader",
        "_sock",
        "_source",
        "_tls",
        "_tried",
        "_writer",
        "address",
        "began_ns",
    )

    def __init__(
        self,
        loop: Any,
        owner: Owner,
        host: str,
        addresses: Sequence[tuple[int, Any]],
        context: ssl.SSLContext | None,
        first_address: int,
        counts: ReadCounts,
        source: Any = None,
    ) -> None:
        self._loop = loop
        self._owner = owner
        self._host = host
        self._addresses = addresses
        self._context = context
        self._first = self.address = first_address
        self._counts = counts
        self._source = source
        self._tried = 0
        self.began_ns = 0
        self._sock: _socket.socket | None = None
        self._reader: Any = None
        self._writer: Any = None
        self._tls: TlsChannel | None = None
        self._out = b""

    @property
    def has_another_address(self) -> bool:
        """Whether an address is left that was not tried."""
        return self._tried < len(self._addresses)

    @property
    def drained(self) -> bool:
        """Whether everything that was written has left."""
        return not self._out

    def connect_next(self, reason: str = "no address") -> None:
        """Try the next address; ``reason`` is why the one before failed."""
        self.close()
        while self.has_another_address:
            self.address = (self._first + self._tried) % len(self._addresses)
            self._tried += 1
            self.began_ns = time.monotonic_ns()
            code = self._begin(*self._addresses[self.address])
            if code in (0, errno.EINPROGRESS):
                return
            self.close()
            reason = _named(code)
            if code in _OURS:
                self._owner.on_not_connected(reason, ours=True)
                return
        self._owner.on_not_connected(reason, ours=False)

    def write(self, data: bytes) -> None:
        """Send ``data``, now or when the socket takes it."""
        if self._tls is not None and data:
            self._tls.write(data)
            data = self._tls.outgoing()
        self._write_raw(data)

    def close(self) -> None:
        """Drop the socket without a word to the owner. Closing twice is harmless."""
        self._stop_writer()
        if self._reader is not None:
            self._reader.stop()
            self._reader.close()
            self._reader = None
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self._tls, self._out = None, b""

    def _begin(self, family: int, address: Any) -> int:
        try:
            self._sock = sock = _socket.socket(family, _socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            ask_for_stamps(sock)
            self._choose_source(sock)
            code = sock.connect_ex(address)
        except OSError as error:
            return error.errno or errno.EIO
        if code in (0, errno.EINPROGRESS):
            self._writer = self._loop.io(sock.fileno(), _WRITE)
            self._writer.start(self._on_connect)
        return code

    def _choose_source(self, sock: _socket.socket) -> None:
        """Go out from our source address; its port is chosen on connecting, so that targets share ports."""
        if self._source is not None:
            sock.setsockopt(_socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind(self._source)

    def _on_connect(self) -> None:
        assert self._sock is not None
        code = self._sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if code:
            self.connect_next(_named(code))
            return
        self._stop_writer()
        self._reader = self._loop.io(self._sock.fileno(), _READ)
        self._reader.start(self._on_readable)
        if self._context is None:
            self._owner.on_open()
        else:
            self._tls = TlsChannel(self._context, self._host)
            self._shake_hands()

    def _shake_hands(self) -> None:
        assert self._tls is not None
        try:
            ready = self._tls.handshake()
        except ssl.SSLError as error:
            self.close()
            self._owner.on_not_connected(f"tls: {error.reason or error}"[:80], ours=False)
            return
        self._write_raw(self._tls.outgoing())
        if ready and self._sock is not None:
            self._owner.on_open()

    def _on_readable(self) -> None:
        assert self._sock is not None
        try:
            data, now_ns = receive(self._sock, _RECEIVE_BYTES, self._counts)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(_named(error.errno))
            return
        if self._tls is not None:
            self._take_records(data, now_ns)
        elif data:
            self._owner.on_bytes(data, now_ns)
        else:
            self._end(EOF)

    def _take_records(self, data: bytes, now_ns: int) -> None:
        assert self._tls is not None
        was_open = self._tls.ready
        self._tls.receive(data)
        if not was_open:
            if not data:
                self.close()
                self._owner.on_not_connected("tls: eof", ours=False)
                return
            self._shake_hands()
        if self._tls is None or not self._tls.ready:
            return
        try:
            plain = self._tls.read()
        except ssl.SSLError as error:
            self._end(f"tls: {error.reason or error}"[:80])
            return
        self._write_raw(self._tls.outgoing())
        if plain:
            self._owner.on_bytes(plain, now_ns)
        if not data and self._sock is not None:
            self._end(EOF)

    def _write_raw(self, data: bytes) -> None:
        if self._out:
            self._out += data
            return
        if not data or self._sock is None:
            return
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._end(_named(error.errno))
            return
        if sent < len(data):
            self._out = data[sent:]
            self._start_writer()

    def _start_writer(self) -> None:
        if self._writer is None and self._sock is not None:
            self._writer = self._loop.io(self._sock.fileno(), _WRITE)
            self._writer.start(self._on_writable)

    def _on_writable(self) -> None:
        self._stop_writer()
        data, self._out = self._out, b""
        self._write_raw(data)

    def _stop_writer(self) -> None:
        if self._writer is not None:
            self._writer.stop()
            self._writer.close()
            self._writer = None

    def _end(self, reason: str) -> None:
        self.close()
        self._owner.on_closed(reason)


def _named(code: int | None) -> str:
    """Return an errno as people know it: ``ECONNREFUSED``."""
    return errno.errorcode.get(code, os.strerror(code)) if code else "unknown socket error"
