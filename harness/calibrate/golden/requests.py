"""What of a request's bytes the golden target needs: its path, its trace, its timetable, its counts."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from harness.calibrate.golden.answers import Ask

DEFAULT_TOKENS = 16
MAX_HEAD_BYTES = 64 << 10
_MAX_TOKENS = 1_000_000
_APIS = {b"/v1/chat/completions": "chat", b"/v1/completions": "completions"}
TRACE_BYTES = 16
_NO_TRACE = bytes(TRACE_BYTES)
_TRACE_AT = len("00-")


class RequestError(ValueError):
    """The request cannot be answered; the message says why, and ``status`` how it is refused."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Head(NamedTuple):
    """A request's head. ``lines`` is the head in lower case; ``length`` of its body in bytes."""

    method: bytes
    path: bytes
    lines: bytes
    length: int

    @property
    def trace(self) -> bytes:
        """The 16 bytes of the trace id, all zero where the request carries none."""
        digits = header(self.lines, b"\r\ntraceparent:")[_TRACE_AT : _TRACE_AT + 2 * TRACE_BYTES]
        try:
            trace = bytes.fromhex(digits.decode("latin-1"))
        except ValueError:
            return _NO_TRACE
        return trace if len(trace) == TRACE_BYTES else _NO_TRACE

    @property
    def closes(self) -> bool:
        """Whether the connection ends with the answer."""
        return header(self.lines, b"\r\nconnection:") == b"close"


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool = False


class _Body(msgspec.Struct, gc=False):
    """The fields that we read; all others are skipped without being decoded."""

    stream: bool = False
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream_options: _StreamOptions | None = None
    golden: str | None = None


_decode = msgspec.json.Decoder(_Body).decode


def check_unfinished(head: bytes) -> None:
    """Refuse a head that has no end in sight. Raises RequestError."""
    if len(head) > MAX_HEAD_BYTES:
        raise RequestError("the head is too long", 431)


def read_head(head: bytes) -> Head:
    """Read everything before the empty line. Raises RequestError."""
    parts = head[: head.find(b"\r\n")].split(b" ") if b"\r\n" in head else head.split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
        raise RequestError("the request line is not HTTP/1.1")
    lines = head.lower() + b"\r\n"
    length = header(lines, b"\r\ncontent-length:")
    if not length.isdigit():
        length = _no_length(lines, length)
    return Head(parts[0], parts[1].partition(b"?")[0], lines, int(length))


def header(lines: bytes, name: bytes) -> bytes:
    """Return a header's value from a lower-case head, empty where it is not there.

    ``name`` is as it is searched for: with the line end before it and the colon after it.
    """
    start = lines.find(name)
    if start < 0:
        return b""
    start += len(name)
    return lines[start : lines.find(b"\r\n", start)].strip()


def _no_length(lines: bytes, given: bytes) -> bytes:
    if given:
        raise RequestError("the Content-Length is not a number")
    if b"\r\ntransfer-encoding:" in lines:
        raise RequestError("send the body with a Content-Length", 411)
    return b"0"


def read_ask(head: Head, body: bytes) -> tuple[str, Ask]:
    """Return the request's own line of a timetable (or none) and what it asks. Raises RequestError."""
    api = _APIS.get(head.path)
    if api is None:
        raise RequestError(f"no such path: {head.path.decode('latin-1')}", 404)
    if head.method != b"POST":
        raise RequestError("ask for an answer by POST", 405)
    asked = _read_body(body)
    line = asked.golden or header(head.lines, b"\r\nx-golden:").decode("latin-1")
    tokens = asked.max_completion_tokens or asked.max_tokens or DEFAULT_TOKENS
    if not 0 < tokens <= _MAX_TOKENS:
        raise RequestError(f"max_tokens={tokens}; allowed: a whole number from 1 to {_MAX_TOKENS}")
    usage = asked.stream_options is not None and asked.stream_options.include_usage
    return line, Ask(api, asked.stream, tokens, usage)


def _read_body(body: bytes) -> _Body:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"the body is not the API's JSON: {error}") from None
