"""One connection: watchers on gevent's hub, no greenlet. It connects, sends, reads, and tells its owner."""

from __future__ import annotations

import _socket  # gevent's and the standard library's sockets cost a Python frame for every read
import errno
import os
import ssl
import time
from typing import Any, Protocol

from harness.load.call import Call
from harness.load.endpoint import Endpoint
from harness.wire.tls import TlsChannel

_READ, _WRITE = 1, 2  # libev's event masks
_RECEIVE_BYTES = 1 << 16
_OURS = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
"""Errors of this machine, not of the target: no descriptor, no port, no memory."""

EOF = "eof"
"""The reason of an orderly end by the target; every other reason is a broken connection."""


class Owner(Protocol):
    """Who is told what became of a connection's call."""

    def on_connected(self, connection: Connection) -> None:
        """The connection is open; other timeouts apply from now on."""

    def on_answered(self, connection: Connection) -> None:
        """The call's exchange has its outcome."""

    def on_closed(self, connection: Connection, reason: str) -> None:
        """The connection ended while its call was open, or while idle."""

    def on_not_connected(self, connection: Connection, reason: str, ours: bool) -> None:
        """No address took the connection; ``ours``: this machine refused, not the target."""

    def on_expired(self, connection: Connection, reason: str) -> None:
        """One of the three timeouts passed."""


class Connection:
    """A connection that carries one call at a time. ``uses`` counts the calls that it was given."""

    __slots__ = (
        "_address",
        "_connect_deadline_ns",
        "_endpoint",
        "_first_address",
        "_heard_ns",
        "_loop",
        "_out",
        "_owner",
        "_reader",
        "_sock",
        "_tls",
        "_tried",
        "_writer",
        "call",
        "uses",
    )

    def __init__(self, loop: Any, owner: Owner, endpoint: Endpoint, first_address: int) -> None:
        self._loop = loop
        self._owner = owner
        self._endpoint = endpoint
        self._first_address = first_address
        self._tried = 0
        self._address = first_address
        self._sock: _socket.socket | None = None
        self._reader: Any = None
        self._writer: Any = None
        self._out = b""
        self._tls: TlsChannel | None = None
        self._connect_deadline_ns = 0
        self._heard_ns = 0
        self.call: Call | None = None
        self.uses = 0

    @property
    def address(self) -> int:
        """The index of the address in use: where the next connection should try first."""
        return self._address

    @property
    def drained(self) -> bool:
        """Whether the whole request has left: an early answer may come before."""
        return not self._out

    def open(self, call: Call) -> None:
        """Connect and send ``call``."""
        self.call, self.uses = call, 1
        self._connect_next("no address")

    def send(self, call: Call) -> None:
        """Send ``call`` on this connection, which is open and idle."""
        self.call = call
        self.uses += 1
        self._heard_ns = time.monotonic_ns()
        self._write(call.request)

    def close(self) -> None:
        """Drop the connection without a word to the owner. Closing twice is harmless."""
        self._drop_socket()
        self.call = None

    def deadline_ns(self) -> int:
        """Return the earliest of the timeouts that apply now; 0 while idle."""
        call = self.call
        if call is None or call.sent_ns is None:
            return 0
        timeouts = self._endpoint.timeouts
        silence_ns = self._connect_deadline_ns or self._heard_ns + timeouts.read_ns
        return min(call.sent_ns + timeouts.request_ns, silence_ns)

    def expire(self) -> None:
        """Tell which timeout passed; while connecting, try the next address first."""
        call, timeouts = self.call, self._endpoint.timeouts
        if call is None or call.sent_ns is None:
            return
        if time.monotonic_ns() >= call.sent_ns + timeouts.request_ns:
            self._owner.on_expired(self, "request timeout")
        elif not self._connect_deadline_ns:
            self._owner.on_expired(self, "read timeout")
        elif self._tried < len(self._endpoint.addresses):
            self._connect_next("connect timeout")
        else:
            self._owner.on_expired(self, "connect timeout")

    def _connect_next(self, reason: str) -> None:
        self._drop_socket()
        addresses = self._endpoint.addresses
        while self._tried < len(addresses):
            self._address = (self._first_address + self._tried) % len(addresses)
            self._tried += 1
            now_ns = time.monotonic_ns()
            self._connect_deadline_ns = now_ns + self._endpoint.timeouts.connect_ns // len(addresses)
            code = self._begin_connect(*addresses[self._address])
            if code in (0, errno.EINPROGRESS):
                return
            self._drop_socket()
            reason = _named(code)
            if code in _OURS:
                self._owner.on_not_connected(self, reason, ours=True)
                return
        self._owner.on_not_connected(self, reason, ours=False)

    def _begin_connect(self, family: int, address: Any) -> int:
        try:
            self._sock = sock = _socket.socket(family, _socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            code = sock.connect_ex(address)
        except OSError as error:
            return error.errno or errno.EIO
        if code in (0, errno.EINPROGRESS):
            self._writer = self._loop.io(sock.fileno(), _WRITE)
            self._writer.start(self._on_connect)
        return code

    def _on_connect(self) -> None:
        assert self._sock is not None
        assert self.call is not None
        code = self._sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if code:
            self._connect_next(_named(code))
            return
        self._stop_writer()
        self._reader = self._loop.io(self._sock.fileno(), _READ)
        self._reader.start(self._on_readable)
        if self._endpoint.tls is None:
            self._begin_call()
        else:
            self._tls = TlsChannel(self._endpoint.tls, self._endpoint.host)
            self._shake_hands()

    def _begin_call(self) -> None:
        assert self.call is not None
        self._connect_deadline_ns = 0
        self._heard_ns = self.call.connected_ns = time.monotonic_ns()
        self._owner.on_connected(self)
        self._write(self.call.request)

    def _shake_hands(self) -> None:
        assert self._tls is not None
        try:
            ready = self._tls.handshake()
        except ssl.SSLError as error:
            self._owner.on_not_connected(self, f"tls: {error.reason or error}"[:80], ours=False)
            return
        self._write_raw(self._tls.outgoing())
        if ready and self._sock is not None:
            self._begin_call()
            self._take_plain(time.monotonic_ns())  # records that came with the handshake's last bytes

    def _write(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.write(data)
            data = self._tls.outgoing()
        self._write_raw(data)

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
            self._owner.on_closed(self, _named(error.errno))
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

    def _on_readable(self) -> None:
        assert self._sock is not None
        try:
            data = self._sock.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._owner.on_closed(self, _named(error.errno))
            return
        self._heard_ns = now_ns = time.monotonic_ns()
        if self._tls is not None:
            self._take_records(data, now_ns)
        elif data and self.call is not None:
            if self.call.exchange.feed(data, now_ns):
                self._owner.on_answered(self)
        else:
            self._owner.on_closed(self, "unasked bytes" if data else EOF)

    def _take_records(self, data: bytes, now_ns: int) -> None:
        assert self._tls is not None
        self._tls.receive(data)
        if not self._tls.ready:
            if data:
                self._shake_hands()
            else:
                self._owner.on_not_connected(self, "tls: eof", ours=False)
            return
        self._take_plain(now_ns)
        if not data and self._sock is not None:
            self._owner.on_closed(self, EOF)

    def _take_plain(self, now_ns: int) -> None:
        assert self._tls is not None
        try:
            plain = self._tls.read()
        except ssl.SSLError as error:
            self._owner.on_closed(self, f"tls: {error.reason or error}"[:80])
            return
        self._write_raw(self._tls.outgoing())
        if plain and self.call is not None and self.call.exchange.feed(plain, now_ns):
            self._owner.on_answered(self)

    def _stop_writer(self) -> None:
        if self._writer is not None:
            self._writer.stop()
            self._writer.close()
            self._writer = None

    def _drop_socket(self) -> None:
        self._stop_writer()
        if self._reader is not None:
            self._reader.stop()
            self._reader.close()
            self._reader = None
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self._tls, self._out = None, b""


def _named(code: int | None) -> str:
    """Return an errno as people know it: ``ECONNREFUSED``."""
    return errno.errorcode.get(code, os.strerror(code)) if code else "unknown socket error"
