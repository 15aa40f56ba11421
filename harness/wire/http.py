"""HTTP/1.1 on the client's side: the bytes of a request, and the framing of its answer (httptools)."""

from __future__ import annotations

from collections.abc import Iterable

import httptools


class RequestHead:
    """The part of a request that is the same for every request of a run.

    Raises ValueError, without repeating the value, for a header that would break the framing.
    """

    __slots__ = ("_head",)

    def __init__(self, method: str, path: str, host: str, headers: Iterable[tuple[str, str]]) -> None:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in headers]
        for line in lines:
            if not line.isprintable():
                raise ValueError(f"the header {line.partition(':')[0]!r} holds a control character")
        self._head = "\r\n".join(lines).encode("utf-8") + b"\r\n"

    @property
    def line_and_headers(self) -> bytes:
        """Return the request line and the headers, each ended by CRLF; more headers may follow."""
        return self._head

    def render(self, headers: bytes, body: bytes) -> bytes:
        """Return the whole request. ``headers`` are this request's own, each ended by CRLF."""
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (self._head, headers, len(body), body)


class HttpError(ValueError):
    """The bytes are not an HTTP/1.1 answer."""


class _Surplus(Exception):  # noqa: N818 - a signal from a callback, never seen outside this file
    """Bytes after the end of the answer."""


class ResponseReader:
    """The framing of one answer. A subclass takes the body pieces in ``on_body``.

    ``complete``: the framing says that the answer has ended. ``reusable``: another request may follow on the
    same connection.
    """

    __slots__ = ("_framed", "_parser", "complete", "content_type", "headers_done", "reusable", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.content_type = b""
        self.headers_done = False
        self.complete = False
        self.reusable = False
        self._framed = False
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def read(self, data: bytes) -> None:
        """Take the next bytes from the connection. Raises HttpError."""
        parser = self._parser
        if parser is None:
            self.reusable = False
            return
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, _Surplus):
                raise error.__context__ or error from None
            self.reusable = False
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.reusable = False
            if not self.complete:
                raise HttpError(str(error)) from None

    def read_eof(self) -> None:
        """Take the connection's end: it completes an answer that nothing else delimits."""
        if self.headers_done and not self._framed:
            self.complete = True
        self.reusable = False

    def release(self) -> None:
        """Let go of the parser, which refers back to this object: no cycle, no work for the collector."""
        self._parser = None

    def on_body(self, body: bytes) -> None:
        """Take one piece of the body."""
        raise NotImplementedError

    def on_message_begin(self) -> None:
        """Stop the parser where a second answer would begin: nobody asked for it."""
        if self.complete:
            raise _Surplus

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note the two framing headers and the content's type."""
        name = name.lower()
        if name in (b"content-length", b"transfer-encoding"):
            self._framed = True
        elif name == b"content-type":
            self.content_type = value.partition(b";")[0].strip().lower()

    def on_headers_complete(self) -> None:
        """Note the status, once the final answer's head is there."""
        assert self._parser is not None
        self.status = self._parser.get_status_code()
        self.headers_done = self.status >= 200

    def on_message_complete(self) -> None:
        """Note the end; an interim answer (1xx) is none."""
        if not self.headers_done:
            self._framed = False
            return
        assert self._parser is not None
        self.complete = True
        self.reusable = self._parser.should_keep_alive()
