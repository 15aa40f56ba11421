"""One gRPC call with one answer, in plain blocking steps: what is asked once, before the load."""

from __future__ import annotations

import socket
import ssl
import time

from harness.errors import TargetUnreachableError
from harness.load.grpc_endpoint import resolve_grpc_endpoint
from harness.scenario.model import Target
from harness.wire.grpc import GrpcError, MessageSplitter, prefixed, status_name
from harness.wire.hpack_block import Fields
from harness.wire.http2 import Http2Connection, Http2Error

_TIMEOUT_SECONDS = 10.0
_READ_BYTES = 1 << 16


class _Reply:
    """A stream that keeps its messages. ``outcome`` is the status's name, or what went wrong."""

    def __init__(self) -> None:
        self.outcome: str | None = None
        self.chunks = 0
        self.messages: list[bytes] = []
        self._splitter = MessageSplitter()
        self._status = b""

    def take_fields(self, fields: Fields, now_ns: int) -> None:  # noqa: ARG002 - the protocol's signature
        """Note the status."""
        self._status = dict(fields).get(b"grpc-status", self._status)

    def take_data(self, data: bytes, now_ns: int) -> None:  # noqa: ARG002 - the protocol's signature
        """Keep the messages."""
        try:
            self.messages += self._splitter.feed(data)
        except GrpcError as error:
            self.outcome = str(error)

    def take_end(self, now_ns: int) -> None:  # noqa: ARG002 - the protocol's signature
        """Name the status."""
        self.outcome = status_name(self._status) or "no gRPC status"

    def take_reset(self, error: str) -> None:
        """Name the reset."""
        self.outcome = f"reset: {error}"


class _Connection:
    """The owner of the HTTP/2 connection: sends the one message once it is ready."""

    def __init__(self, target: Target, method: str, message: bytes) -> None:
        self.endpoint = resolve_grpc_endpoint(target, method)
        self.reply = _Reply()
        self._message = message
        self.http2: Http2Connection[_Reply] = Http2Connection(self, self.endpoint.fields)

    def on_ready(self) -> None:
        """Send the message."""
        self.http2.open(b"", prefixed(self._message), self.reply)

    def on_ended(self, stream: _Reply) -> None:
        """Nothing to do: the reply knows its outcome."""

    def on_refused(self, stream: _Reply, reason: str) -> None:
        """Note why."""
        stream.outcome = reason


def call_once(target: Target, method: str, message: bytes) -> bytes:
    """Return the message that ``target`` answers to ``message``.

    Raises UsageError for a target without URL or key, and TargetUnreachableError when it does not answer, or
    answers with another status than OK.
    """
    connection = _Connection(target, method, message)
    try:
        with _connect(connection) as sock:
            sock.settimeout(_TIMEOUT_SECONDS)
            _exchange(sock, connection)
    except (OSError, Http2Error) as error:
        raise TargetUnreachableError(f"no answer from {target.url}: {error}") from None
    reply = connection.reply
    if reply.outcome != "OK" or len(reply.messages) != 1:
        raise TargetUnreachableError(f"{target.url}{method} answered {reply.outcome or 'nothing'}")
    return reply.messages[0]


def _connect(connection: _Connection) -> socket.socket:
    endpoint = connection.endpoint
    failure: OSError = OSError("no address")
    for family, address in endpoint.addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(_TIMEOUT_SECONDS)
        try:
            sock.connect(address)
            return _secured(sock, endpoint.tls, endpoint.host)
        except OSError as error:
            sock.close()
            failure = error
    raise failure


def _secured(sock: socket.socket, context: ssl.SSLContext | None, host: str) -> socket.socket:
    return sock if context is None else context.wrap_socket(sock, server_hostname=host)


def _exchange(sock: socket.socket, connection: _Connection) -> None:
    end_by = time.monotonic() + _TIMEOUT_SECONDS
    while connection.reply.outcome is None:
        sock.sendall(connection.http2.outgoing())
        data = sock.recv(_READ_BYTES)
        if not data:
            raise OSError("the connection was closed")
        if time.monotonic() > end_by:
            raise TimeoutError("timed out")
        connection.http2.receive(data, time.monotonic_ns())
