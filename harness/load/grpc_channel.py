"""One gRPC channel: an HTTP/2 connection of its own that carries a bounded number of calls at once."""

from __future__ import annotations

import time
from typing import Any, Protocol

from harness.load.call import Call
from harness.load.grpc_endpoint import GrpcEndpoint
from harness.load.link import Link
from harness.load.stamped import ReadCounts
from harness.wire.grpc import GrpcRequest
from harness.wire.grpc_answer import GrpcAnswer
from harness.wire.http2 import Http2Connection, Http2Error

GrpcCall = Call[GrpcRequest, GrpcAnswer]


class Ticket:
    """A call's place on a channel. ``stream_id`` is 0 until the channel is open. The wheel looks after it."""

    __slots__ = ("_owner", "call", "channel", "stream_id")

    def __init__(self, owner: Owner, call: GrpcCall) -> None:
        self._owner = owner
        self.call: GrpcCall | None = call
        self.channel: Channel | None = None
        self.stream_id = 0

    def deadline_ns(self) -> int:
        """Return the earlier of the request's end and, once it was sent, the end of its silence."""
        call, channel = self.call, self.channel
        if call is None or channel is None or call.sent_ns is None:
            return 0
        end_ns = call.sent_ns + channel.endpoint.timeouts.request_ns
        if not self.stream_id:
            return end_ns
        return min(end_ns, call.exchange.heard_ns + channel.endpoint.timeouts.read_ns)

    def expire(self) -> None:
        """Tell which timeout passed."""
        call, channel = self.call, self.channel
        if call is None or channel is None or call.sent_ns is None:
            return
        late = time.monotonic_ns() >= call.sent_ns + channel.endpoint.timeouts.request_ns
        self._owner.on_expired(self, "request timeout" if late else "read timeout")

    def let_go(self) -> None:
        """Forget the call, which has ended: the wheel may hold this ticket for a while yet."""
        self.call = self.channel = None


class Owner(Protocol):
    """Who is told what became of a channel and of its calls."""

    def on_sent(self, ticket: Ticket) -> None:
        """The call has left; other timeouts apply from now on."""

    def on_answered(self, ticket: Ticket) -> None:
        """The call's answer has its outcome."""

    def on_refused(self, ticket: Ticket, reason: str) -> None:
        """The target surely did not process the call."""

    def on_crowded(self, ticket: Ticket) -> None:
        """The target allows fewer streams than we do: the call has not left and needs another channel."""

    def on_expired(self, ticket: Ticket, reason: str) -> None:
        """A timeout passed."""

    def on_closed(self, channel: Channel, tickets: list[Ticket], reason: str) -> None:
        """The channel ended under its calls."""

    def on_not_connected(self, channel: Channel, tickets: list[Ticket], reason: str, ours: bool) -> None:
        """No address took the connection; ``ours``: this machine refused, not the target."""

    def on_never_opened(self, channel: Channel, tickets: list[Ticket]) -> None:
        """The connect timeout passed."""

    def on_broken(self, channel: Channel, tickets: list[Ticket], reason: str) -> None:
        """What came is not HTTP/2."""


class Channel:
    """Calls on one connection. Those that come before it is open wait; the wheel watches its opening."""

    __slots__ = (
        "_by_answer",
        "_closed",
        "_connect_deadline_ns",
        "_http2",
        "_link",
        "_owner",
        "_waiting",
        "endpoint",
    )

    def __init__(
        self, loop: Any, owner: Owner, endpoint: GrpcEndpoint, first_address: int, counts: ReadCounts
    ) -> None:
        self._owner = owner
        self.endpoint = endpoint
        self._link = Link(loop, self, endpoint.host, endpoint.addresses, endpoint.tls, first_address, counts)
        self._http2: Http2Connection[GrpcAnswer] = Http2Connection(self, endpoint.fields)
        self._waiting: dict[Ticket, None] = {}
        self._by_answer: dict[GrpcAnswer, Ticket] = {}
        self._connect_deadline_ns = 0
        self._closed = False

    @property
    def address(self) -> int:
        """The index of the address in use: where the next channel should try first."""
        return self._link.address

    @property
    def calls(self) -> int:
        """How many calls are on this channel."""
        return len(self._waiting) + len(self._by_answer)

    @property
    def token_reads(self) -> tuple[int, int]:
        """How many reads held tokens, and how many of these held several."""
        return self._http2.chunk_reads, self._http2.shared_chunk_reads

    @property
    def has_room(self) -> bool:
        """Whether one more call may be sent here."""
        limit = min(self.endpoint.streams_per_channel, max(1, self._http2.peer_limit))
        return not self._closed and not self._http2.draining and self.calls < limit

    def connect(self) -> None:
        """Begin to connect. May tell the owner before it returns that nothing came of it."""
        self._set_connect_deadline()
        self._link.connect_next()

    def send(self, ticket: Ticket) -> None:
        """Send a call now, or as soon as the channel is open."""
        ticket.channel = self
        if self._http2.ready:
            self._open_stream(ticket)
            self._flush()
        else:
            self._waiting[ticket] = None

    def drop(self, ticket: Ticket) -> None:
        """Cancel a call on the wire, without a word to the owner."""
        self._waiting.pop(ticket, None)
        if ticket.call is not None and self._by_answer.pop(ticket.call.exchange, None) is not None:
            self._http2.reset(ticket.stream_id)
            self._flush()

    def close(self) -> None:
        """Drop the connection without a word to the owner. Closing twice is harmless."""
        self._closed = True
        self._connect_deadline_ns = 0
        self._http2.abandon()
        self._link.close()

    def deadline_ns(self) -> int:
        """Return by when the channel must be open; 0 once it is."""
        return self._connect_deadline_ns

    def expire(self) -> None:
        """Try the next address, or give up."""
        if self._link.has_another_address:
            self._set_connect_deadline()
            self._link.connect_next("connect timeout")
        else:
            self._owner.on_never_opened(self, self._all())

    def on_open(self) -> None:
        """Say hello; the target's settings must come before the first call, as with other gRPC clients."""
        self._flush()

    def on_bytes(self, data: bytes, now_ns: int) -> None:
        """Give the streams what came for them."""
        try:
            self._http2.receive(data, now_ns)
        except Http2Error as error:
            self._owner.on_broken(self, self._all(), f"http2: {error}")
            return
        self._flush()
        if self._http2.draining and not self.calls and not self._closed:
            self._owner.on_closed(self, [], "goaway")

    def on_closed(self, reason: str) -> None:
        """Tell the owner which calls were on the connection."""
        self._owner.on_closed(self, self._all(), reason)

    def on_not_connected(self, reason: str, ours: bool) -> None:
        """Tell the owner which calls waited for the connection."""
        self._owner.on_not_connected(self, self._all(), reason, ours)

    def on_ready(self) -> None:
        """Send what waited, as far as the target allows."""
        self._connect_deadline_ns = 0
        now_ns = time.monotonic_ns()
        waiting, self._waiting = self._waiting, {}
        for ticket in waiting:
            if self.has_room and ticket.call is not None:
                ticket.call.connected_ns = now_ns
                self._open_stream(ticket)
            else:
                self._owner.on_crowded(ticket)

    def on_ended(self, stream: GrpcAnswer) -> None:
        """Tell the owner which call has its answer."""
        self._owner.on_answered(self._by_answer.pop(stream))

    def on_refused(self, stream: GrpcAnswer, reason: str) -> None:
        """Tell the owner which call was refused."""
        self._owner.on_refused(self._by_answer.pop(stream), reason)

    def _open_stream(self, ticket: Ticket) -> None:
        call = ticket.call
        assert call is not None
        call.exchange.heard_ns = time.monotonic_ns()
        self._by_answer[call.exchange] = ticket
        ticket.stream_id = self._http2.open(call.request.fields, call.request.message, call.exchange)
        self._owner.on_sent(ticket)

    def _set_connect_deadline(self) -> None:
        share_ns = self.endpoint.timeouts.connect_ns // len(self.endpoint.addresses)
        self._connect_deadline_ns = time.monotonic_ns() + share_ns

    def _all(self) -> list[Ticket]:
        tickets = [*self._by_answer.values(), *self._waiting]
        self._by_answer.clear()
        self._waiting.clear()
        return tickets

    def _flush(self) -> None:
        self._link.write(self._http2.outgoing())
