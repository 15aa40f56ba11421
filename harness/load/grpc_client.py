"""Calls over a pool of gRPC channels: streams per channel bounded, as many channels as that needs."""

from __future__ import annotations

import time
from typing import Any

from harness.load.grpc_channel import Channel, GrpcCall, Ticket
from harness.load.grpc_endpoint import GrpcEndpoint
from harness.load.sender import Sender
from harness.measure.reception import Reception
from harness.measure.record import Outcome


class GrpcClient(Sender[GrpcCall, Ticket]):
    """Sends calls over gRPC. ``reconnects`` counts those whose stream the target refused, or that came after
    its GOAWAY, and that went once more on another channel.
    """

    def __init__(self, loop: Any, endpoint: GrpcEndpoint) -> None:
        super().__init__()
        self._loop = loop
        self._endpoint = endpoint
        self._channels: set[Channel] = set()
        self._roomy: dict[Channel, None] = {}  # in turn: the one that has waited longest is first
        self._token_reads = self._shared_token_reads = 0  # those of channels that are gone

    @property
    def reception(self) -> Reception:
        """How the times of arrival were learned. Tokens of several calls may share a read, and its time."""
        token_reads, shared = self._token_reads, self._shared_token_reads
        for channel in self._channels:
            token_reads += channel.token_reads[0]
            shared += channel.token_reads[1]
        return Reception(self._reads.reads, self._reads.stamped, token_reads, shared)

    @property
    def channels(self) -> int:
        """How many channels there are, each a connection of its own."""
        return len(self._channels)

    def submit(self, call: GrpcCall) -> None:
        """Send ``call`` now."""
        call.sent_ns = time.monotonic_ns()
        ticket = self._busy[call] = Ticket(self, call)
        self._place(ticket)
        if ticket.call is not None:
            self._wheel.watch(ticket)

    def close(self) -> None:
        """Cancel what is open and close every channel."""
        self.cancel_all()
        for channel in list(self._channels):
            self._remove(channel)

    def on_sent(self, ticket: Ticket) -> None:
        """Look at its deadline anew: silence may be allowed for less time than connecting was."""
        self._wheel.watch(ticket)
        if ticket.channel is not None:
            self._good_address = ticket.channel.address

    def on_answered(self, ticket: Ticket) -> None:
        """End the call."""
        self._finish(ticket)

    def on_refused(self, ticket: Ticket, reason: str) -> None:
        """Send the call once more on another channel; a second refusal is the target's answer."""
        call = ticket.call
        assert call is not None
        if call.reconnects:
            self._fail(ticket, Outcome.REJECTED, reason)
            return
        call.reconnects = 1
        self.reconnects += 1
        self.on_crowded(ticket)

    def on_crowded(self, ticket: Ticket) -> None:
        """Find the call another channel."""
        channel = ticket.channel
        assert channel is not None
        self._roomy.pop(channel, None)
        ticket.stream_id = 0
        self._place(ticket)
        self._offer(channel)

    def on_expired(self, ticket: Ticket, reason: str) -> None:
        """End the call as a timeout."""
        self._fail(ticket, Outcome.TIMEOUT, reason)

    def on_closed(self, channel: Channel, tickets: list[Ticket], reason: str) -> None:
        """End the channel's calls as disconnected."""
        self._end_all(channel, tickets, Outcome.DISCONNECTED, reason)

    def on_broken(self, channel: Channel, tickets: list[Ticket], reason: str) -> None:
        """End the channel's calls as malformed."""
        self._end_all(channel, tickets, Outcome.MALFORMED, reason)

    def on_never_opened(self, channel: Channel, tickets: list[Ticket]) -> None:
        """End the calls that waited for the channel as timeouts."""
        self._end_all(channel, tickets, Outcome.TIMEOUT, "connect timeout")

    def on_not_connected(self, channel: Channel, tickets: list[Ticket], reason: str, ours: bool) -> None:
        """End the calls that waited: the target refused, or this machine had no descriptor or port left."""
        for ticket in tickets:
            if ours and ticket.call is not None:
                ticket.call.sent_ns = None
        self._end_all(channel, tickets, Outcome.DROPPED if ours else Outcome.REFUSED, reason)

    def _place(self, ticket: Ticket) -> None:
        """Send on the channel with room whose turn it is; open a new one where none has room."""
        channel = next(iter(self._roomy), None)
        is_new = channel is None
        if channel is None:
            channel = Channel(self._loop, self, self._endpoint, self._good_address, self._reads)
            self._channels.add(channel)
        self._roomy.pop(channel, None)
        channel.send(ticket)
        if is_new:
            channel.connect()
            self._wheel.watch(channel)
        self._offer(channel)

    def _offer(self, channel: Channel) -> None:
        """Let the channel take its turn, if it has room."""
        if channel in self._channels and channel.has_room:
            self._roomy.setdefault(channel)

    def _end_all(self, channel: Channel, tickets: list[Ticket], outcome: Outcome, reason: str) -> None:
        self._remove(channel)
        for ticket in tickets:
            self._fail(ticket, outcome, reason)

    def _remove(self, channel: Channel) -> None:
        if channel in self._channels:
            self._channels.remove(channel)
            self._token_reads += channel.token_reads[0]
            self._shared_token_reads += channel.token_reads[1]
        self._roomy.pop(channel, None)
        channel.close()

    def _fail(self, ticket: Ticket, outcome: Outcome, reason: str | None) -> None:
        if ticket.call is not None:
            ticket.call.exchange.end(outcome, reason)
            if ticket.channel is not None:
                ticket.channel.drop(ticket)
            self._finish(ticket)

    def _finish(self, ticket: Ticket) -> None:
        call, channel = ticket.call, ticket.channel
        assert call is not None
        del self._busy[call]
        ticket.let_go()
        if channel is not None:
            self._offer(channel)
        call.end_ns = time.monotonic_ns()
        call.exchange.release()
        call.on_done(call)
