"""Calls over connections: reuse, the one replacement of a closed connection, timeouts, cancellation."""

from __future__ import annotations

import itertools
import time
from typing import Any

from harness.load.call import Call
from harness.load.connection import Connection
from harness.load.endpoint import Endpoint
from harness.load.link import EOF
from harness.load.pool import Pool
from harness.load.sender import Sender
from harness.measure.reception import Reception
from harness.measure.record import Outcome


class Client(Sender[Call, Connection]):
    """Sends calls over HTTP. ``reconnects`` counts kept-alive connections that proved closed."""

    def __init__(self, loop: Any, endpoint: Endpoint, max_idle: int) -> None:
        super().__init__()
        self._loop = loop
        self._endpoint = endpoint
        self._pool = Pool(max_idle)
        self._sources = itertools.cycle([source for _, source in endpoint.source_addresses] or [None])
        self._token_reads = self._shared_token_reads = 0

    @property
    def endpoint(self) -> Endpoint:
        """Where this client's calls go."""
        return self._endpoint

    @property
    def reception(self) -> Reception:
        """How the times of arrival were learned; the tokens of open calls are not in it yet."""
        return Reception(self._reads.reads, self._reads.stamped, self._token_reads, self._shared_token_reads)

    def submit(self, call: Call) -> None:
        """Send ``call`` now."""
        call.sent_ns = time.monotonic_ns()
        connection = self._pool.take()
        if connection is None:
            self._open(call)
            return
        self._busy[call] = connection
        connection.send(call)
        self._wheel.watch(connection)

    def close(self) -> None:
        """Cancel what is open and close every connection."""
        self.cancel_all()
        self._pool.close()

    def on_connected(self, connection: Connection) -> None:
        """Look at its deadline anew: silence may be allowed for less time than connecting was."""
        self._wheel.watch(connection)

    def on_answered(self, connection: Connection) -> None:
        """End the call; keep the connection if the answer leaves it usable."""
        call = connection.call
        assert call is not None
        if self._endpoint.reuse and call.exchange.reusable and connection.drained:
            connection.call = None
            self._pool.put(connection)
        else:
            connection.close()
        self._finish(call)

    def on_closed(self, connection: Connection, reason: str) -> None:
        """Replace a reused connection that closed before any byte of the answer; otherwise the call fails."""
        call = connection.call
        reused = connection.uses > 1
        connection.close()
        if call is None:
            self._pool.remove(connection)
            return
        if reused and call.exchange.first_byte_ns is None and not call.reconnects:
            call.reconnects = 1
            self.reconnects += 1
            self._open(call)
            return
        if reason == EOF:
            call.exchange.eof(time.monotonic_ns())
        else:
            call.exchange.end(Outcome.DISCONNECTED, reason)
        self._finish(call)

    def on_not_connected(self, connection: Connection, reason: str, ours: bool) -> None:
        """End the call: refused by the target, or never sent for want of a descriptor or port here."""
        if ours and connection.call is not None:
            connection.call.sent_ns = None
        self._fail(connection, Outcome.DROPPED if ours else Outcome.REFUSED, reason)

    def on_expired(self, connection: Connection, reason: str) -> None:
        """End the call as a timeout."""
        self._fail(connection, Outcome.TIMEOUT, reason)

    def _open(self, call: Call) -> None:
        connection = Connection(
            self._loop, self, self._endpoint, self._good_address, self._reads, next(self._sources)
        )
        self._busy[call] = connection
        connection.open(call)
        if connection.call is not None:
            self._wheel.watch(connection)

    def _fail(self, connection: Connection, outcome: Outcome, reason: str | None) -> None:
        call = connection.call
        connection.close()
        if call is not None:
            call.exchange.end(outcome, reason)
            self._finish(call)

    def _finish(self, call: Call) -> None:
        connection = self._busy.pop(call)
        if call.exchange.outcome is Outcome.OK:
            self._good_address = connection.address
        call.end_ns = time.monotonic_ns()
        self._token_reads += call.exchange.token_reads
        self._shared_token_reads += call.exchange.shared_token_reads
        call.exchange.release()
        call.on_done(call)
