"""The few ASGI pieces that are needed: types, headers, reading a body, and one response at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from target_server.api.errors import ApiError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = dict[bytes, bytes]

JSON = b"application/json"
EVENT_STREAM = b"text/event-stream; charset=utf-8"


class ClientGone(Exception):  # noqa: N818 - an event, not an error of ours
    """The client closed the connection before it had its answer."""


class Response:
    """One answer. ``started`` tells whether the status is already on its way and cannot change."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False
        self.complete = False

    async def start(self, status: int, content_type: bytes, extra: Sequence[tuple[bytes, bytes]]) -> None:
        """Send status and headers."""
        self.started = True
        headers = [(b"content-type", content_type), *extra]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, body: bytes, *, last: bool = False) -> None:
        """Send a piece of the body; waits while the client reads too slowly."""
        self.complete = last
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    async def whole(
        self,
        status: int,
        body: bytes,
        content_type: bytes = JSON,
        extra: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """Send an answer whose length is known."""
        length = (b"content-length", b"%d" % len(body))
        await self.start(status, content_type, [length, *extra])
        await self.write(body, last=True)

    async def error(self, error: ApiError) -> None:
        """Send an answer that is an error."""
        await self.whole(error.status, error.body(), extra=error.headers())


def headers_of(scope: Scope) -> Headers:
    """Return the request's headers; of a repeated one, the last (none of ours may repeat)."""
    return dict(scope["headers"])


async def read_body(headers: Headers, receive: Receive, limit_bytes: int) -> bytes:
    """Read the body. Raises `ApiError` (413) beyond the limit, `ClientGone` when the client leaves."""
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        if not message.get("more_body", False):
            return b"".join(pieces)


def _too_large(limit_bytes: int) -> ApiError:
    """Close as well: what is left of the body would have to be read before the next request."""
    return ApiError(413, f"The body is larger than {limit_bytes} bytes.", code="body_too_large", close=True)
