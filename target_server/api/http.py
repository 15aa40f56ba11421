"""HTTP/1.1 on one socket, written so that an open stream costs little.

A server that holds many thousands of streams spends its memory on what each of them keeps alive. So the
parser lives only while a request is read, nothing waits for the client to leave (it is told), and there is
one task and no queue for each answer.
"""

from __future__ import annotations

import asyncio
import http
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from urllib.parse import unquote

import httptools

from target_server.api.errors import ApiError

logger = logging.getLogger("target_server.api")

Headers = dict[bytes, bytes]
JSON = b"application/json"
EVENT_STREAM = b"text/event-stream; charset=utf-8"
_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in http.HTTPStatus}
_UNREAD_BYTES = 65_536  # of a body that nobody has asked for yet


class ClientGone(Exception):  # noqa: N818 - an event, not an error of ours
    """The client closed the connection before it had its answer."""


class Request:
    """One request. Of a repeated header the last counts (none of ours may repeat).

    ``headers`` may be emptied by who has read them: a stream would keep them for its whole life.
    """

    __slots__ = (
        "_arrived",
        "_connection",
        "_on_leave",
        "_pieces",
        "_size",
        "complete",
        "headers",
        "keep_alive",
        "left",
        "method",
        "path",
    )

    def __init__(self, connection: HttpConnection, method: str, path: str, headers: Headers) -> None:
        self._connection = connection
        self._pieces: list[bytes] = []
        self._size = 0
        self._arrived: asyncio.Future[None] | None = None
        self._on_leave: Callable[[], None] | None = None
        self.method = method
        self.path = path
        self.headers = headers
        self.keep_alive = True
        self.complete = False
        self.left = False

    @property
    def port(self) -> int:
        """The port of ours that it came to."""
        return self._connection.port

    async def body(self, limit_bytes: int) -> bytes:
        """Read the body. Raises `ApiError` (413) beyond the limit, `ClientGone` when the client leaves."""
        announced = self.headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit_bytes:
            raise _too_large(limit_bytes)
        if not self.complete and self.headers.get(b"expect", b"").lower() == b"100-continue":
            self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while self._size <= limit_bytes and not self.complete:
            if self.left:
                raise ClientGone
            self._connection.resume_reading()
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        if self._size > limit_bytes:
            raise _too_large(limit_bytes)
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    def on_leave(self, call: Callable[[], None]) -> None:
        """Call when the client closes the connection; at once, if it has."""
        self._on_leave = call
        if self.left:
            call()

    def take(self, piece: bytes) -> bool:
        """Take a piece of the body; return whether no more is wanted for now."""
        self._pieces.append(piece)
        self._size += len(piece)
        self.wake()
        return self._size > _UNREAD_BYTES

    def leave(self) -> None:
        """Note that the client has gone."""
        self.left = True
        self.wake()
        if self._on_leave is not None:
            self._on_leave()

    def wake(self) -> None:
        """Let who reads the body look again."""
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)


class Response:
    """One answer. ``started`` tells whether the status is already on its way and cannot change."""

    __slots__ = ("_chunked", "_connection", "_head", "_silent", "complete", "request", "started")

    def __init__(self, connection: HttpConnection, request: Request) -> None:
        self._connection = connection
        self._head = b""
        self._chunked = True
        self._silent = request.method == "HEAD"
        self.request = request
        self.started = False
        self.complete = False

    def start(self, status: int, content_type: bytes, extra: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Set status and headers; they leave with the first piece of the body."""
        lines = [(b"content-type", content_type), *extra]
        if (b"connection", b"close") in lines:
            self.request.keep_alive = False
        elif not self.request.keep_alive:
            lines.append((b"connection", b"close"))
        if self._chunked:
            lines.append((b"transfer-encoding", b"chunked"))
        head = b"".join(b"%b: %b\r\n" % line for line in (*self._connection.default_headers, *lines))
        self._head = _STATUS_LINES[status] + head + b"\r\n"
        self.started = True

    async def write(self, body: bytes, *, last: bool = False) -> None:
        """Send a piece of the body; waits while the client reads too slowly."""
        self.complete = last
        framed = body
        if self._silent:
            framed = b""
        elif self._chunked:
            framed = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            framed += b"0\r\n\r\n" if last else b""
        head, self._head = self._head, b""
        self._connection.write(head + framed)
        if self._connection.writable is not None:
            await self._connection.writable

    async def whole(
        self,
        status: int,
        body: bytes,
        content_type: bytes = JSON,
        extra: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """Send an answer whose length is known."""
        self._chunked = False
        self.start(status, content_type, [(b"content-length", b"%d" % len(body)), *extra])
        await self.write(body, last=True)

    async def error(self, error: ApiError) -> None:
        """Send an answer that is an error."""
        await self.whole(error.status, error.body(), extra=error.headers())


App = Callable[[Request, Response], Coroutine[Any, Any, None]]


class HttpConnection(asyncio.Protocol):
    """One connection. Requests that are sent ahead wait for the answers before them.

    uvicorn's server makes it: ``config.loaded_app`` is our `App`, and ``server_state`` holds what is open.
    """

    __slots__ = (
        "_ahead",
        "_app",
        "_headers",
        "_idle",
        "_idle_seconds",
        "_loop",
        "_parser",
        "_reading",
        "_response",
        "_state",
        "_transport",
        "_url",
        "_within_a_request",
        "writable",
    )

    def __init__(self, *, config: Any, server_state: Any, _loop: Any = None, **_: Any) -> None:
        self._app: App = config.loaded_app
        self._idle_seconds: float = config.timeout_keep_alive
        self._state = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: Any = None
        self._parser: Any = None
        self._within_a_request = False
        self._url = b""
        self._headers: Headers = {}
        self._reading: Request | None = None
        self._response: Response | None = None
        self._ahead: deque[Request] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self.writable: asyncio.Future[None] | None = None

    @property
    def port(self) -> int:
        """The local port."""
        return int(self._transport.get_extra_info("sockname")[1])

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """What every answer carries: the date, which the server renews each second."""
        headers: list[tuple[bytes, bytes]] = self._state.default_headers
        return headers

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._transport.write(data)

    def resume_reading(self) -> None:
        """Read on, where reading was paused."""
        if not self._transport.is_reading():
            self._transport.resume_reading()

    def shutdown(self) -> None:
        """Close now, or after the answer that is being given (uvicorn's server calls this)."""
        if self._response is None:
            self._transport.close()
        else:
            self._response.request.keep_alive = False

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self._state.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's parameters
        """Tell who is answering."""
        self._state.connections.discard(self)
        self._stop_idling()
        self.resume_writing()
        if self._response is not None:
            self._response.request.leave()
        self._ahead = None

    def pause_writing(self) -> None:
        """Hold back the answer: the client reads too slowly."""
        self.writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let the answer go on."""
        waiting, self.writable = self.writable, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._stop_idling()
        if self._transport.is_closing():
            return
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # not asked for by any client of ours: answered as if it had not been offered
        except httptools.HttpParserError:
            self._refuse()
        if not self._within_a_request:
            self._parser = None

    # the parser's side

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._within_a_request = True
        self._url, self._headers = b"", {}

    def on_url(self, url: bytes) -> None:
        """Take a piece of the URL."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Answer the request, or let it wait for the one before; its body may be still to come."""
        request = Request(self, self._parser.get_method().decode(), _path(self._url), self._headers)
        request.keep_alive = self._parser.get_http_version() != "1.0" and self._parser.should_keep_alive()
        self._reading, self._url, self._headers = request, b"", {}
        if self._response is None:
            self._answer(request)
        else:
            self._ahead = self._ahead or deque()
            self._ahead.append(request)
            self._transport.pause_reading()

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        if self._reading is not None and self._reading.take(piece):
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """End the request."""
        self._within_a_request = False
        if self._reading is not None:
            self._reading.complete = True
            self._reading.wake()
            self._reading = None

    def _answer(self, request: Request) -> None:
        self._response = response = Response(self, request)
        task = self._loop.create_task(self._app(request, response))
        self._state.tasks.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        """Go on to the next request; without a whole answer the client must see a broken connection."""
        self._state.tasks.discard(task)
        response, self._response = self._response, None
        if not task.cancelled() and task.exception() is not None:
            logger.error("an answer failed", exc_info=task.exception())
        if response is None or not response.complete:
            self._transport.abort()
        elif not response.request.keep_alive or not response.request.complete:
            self._transport.close()
        elif self._ahead:
            self._answer(self._ahead.popleft())
            self.resume_reading()
        else:
            self.resume_reading()
            self._idle = self._loop.call_later(self._idle_seconds, self._transport.close)

    def _refuse(self) -> None:
        """Answer what is not HTTP; in the middle of another answer there is no place for words."""
        if self._response is None:
            text = b"Invalid HTTP request received."
            head = b"%bcontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self._transport.write(head % (_STATUS_LINES[400], len(text)) + text)
        self._transport.close()

    def _stop_idling(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None


def _path(url: bytes) -> str:
    """Return the decoded path of a request's target, which proxies may write with scheme and host."""
    path = url.partition(b"?")[0] if url.startswith(b"/") else httptools.parse_url(url).path or b"/"
    text = path.decode("ascii")
    return unquote(text) if "%" in text else text


def _too_large(limit_bytes: int) -> ApiError:
    """Close as well: what is left of the body would have to be read before the next request."""
    return ApiError(413, f"The body is larger than {limit_bytes} bytes.", code="body_too_large", close=True)
