"""One HTTP connection, which carries one call at a time, and the timeouts that apply to it."""

from __future__ import annotations

import time
from typing import Any, Protocol

from harness.load.call import Call
from harness.load.endpoint import Endpoint
from harness.load.link import Link
from harness.load.stamped import ReadCounts


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
    """A connection to an endpoint. ``uses`` counts its calls; ``address`` is the index of the one in use.

    It goes out from the socket address ``source``, or from where the system chooses.
    """

    __slots__ = ("_connected", "_endpoint", "_heard_ns", "_link", "_owner", "call", "uses")

    def __init__(
        self,
        loop: Any,
        owner: Owner,
        endpoint: Endpoint,
        first_address: int,
        counts: ReadCounts,
        source: Any = None,
    ) -> None:
        self._owner = owner
        self._endpoint = endpoint
        self._connected = False
        self._heard_ns = 0
        self._link = Link(
            loop, self, endpoint.host, endpoint.addresses, endpoint.tls, first_address, counts, source
        )
        self.call: Call[Any, Any] | None = None
        self.uses = 0

    @property
    def address(self) -> int:
        """The index of the address in use: where the next connection should try first."""
        return self._link.address

    @property
    def drained(self) -> bool:
        """Whether the whole request has left: an early answer may come before."""
        return self._link.drained

    def open(self, call: Call[Any, Any]) -> None:
        """Connect and send ``call``."""
        self.call, self.uses = call, 1
        self._link.connect_next()

    def send(self, call: Call[Any, Any]) -> None:
        """Send ``call`` on this connection, which is open and idle."""
        self.call = call
        self.uses += 1
        self._heard_ns = time.monotonic_ns()
        self._link.write(call.request)

    def close(self) -> None:
        """Drop the connection without a word to the owner. Closing twice is harmless."""
        self._link.close()
        self.call = None

    def deadline_ns(self) -> int:
        """Return the earliest of the timeouts that apply now; 0 while idle."""
        call = self.call
        if call is None or call.sent_ns is None:
            return 0
        timeouts = self._endpoint.timeouts
        if self._connected:
            silence_ns = self._heard_ns + timeouts.read_ns
        else:  # the addresses share the time
            silence_ns = self._link.began_ns + timeouts.connect_ns // len(self._endpoint.addresses)
        return min(call.sent_ns + timeouts.request_ns, silence_ns)

    def expire(self) -> None:
        """Tell which timeout passed; while connecting, try the next address first."""
        call, timeouts = self.call, self._endpoint.timeouts
        if call is None or call.sent_ns is None:
            return
        if time.monotonic_ns() >= call.sent_ns + timeouts.request_ns:
            self._owner.on_expired(self, "request timeout")
        elif self._connected:
            self._owner.on_expired(self, "read timeout")
        elif self._link.has_another_address:
            self._link.connect_next("connect timeout")
        else:
            self._owner.on_expired(self, "connect timeout")

    def on_open(self) -> None:
        """Send the call that was waiting."""
        assert self.call is not None
        self._connected = True
        self._heard_ns = self.call.connected_ns = time.monotonic_ns()
        self._owner.on_connected(self)
        self._link.write(self.call.request)

    def on_bytes(self, data: bytes, now_ns: int) -> None:
        """Give the call's exchange what came."""
        self._heard_ns = now_ns
        if self.call is None:
            self._owner.on_closed(self, "unasked bytes")
        elif self.call.exchange.feed(data, now_ns):
            self._owner.on_answered(self)

    def on_closed(self, reason: str) -> None:
        """Tell the owner that the open connection has ended."""
        self._owner.on_closed(self, reason)

    def on_not_connected(self, reason: str, ours: bool) -> None:
        """Tell the owner that there is no connection."""
        self._owner.on_not_connected(self, reason, ours)
