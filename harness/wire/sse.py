"""Server-sent events: bytes in, events out, whatever the borders of the reads."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_EVENT_BYTES = 1 << 20
"""A longer line or event is not a token stream; without this bound a server could fill our memory."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class SseError(ValueError):
    """The stream breaks a bound that every token stream keeps."""


class Event(NamedTuple):
    """One event: its ``data`` lines joined by line feeds, and the name from its ``event`` line."""

    data: bytes
    event: str | None = None


class SseParser:
    """An incremental parser of ``text/event-stream`` (WHATWG HTML, section 9.2)."""

    __slots__ = ("_after_cr", "_at_start", "_data", "_data_bytes", "_name", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name: str | None = None
        self._after_cr = False
        self._at_start = True

    @property
    def idle(self) -> bool:
        """Whether the next byte begins a new event, so that a caller may recognize a whole one itself."""
        return not (self._rest or self._data or self._after_cr or self._at_start) and self._name is None

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that ``chunk`` completes. Raises SseError beyond MAX_EVENT_BYTES."""
        if self.idle and chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") and b"\r" not in chunk:
            parts = chunk[6:-2].split(b"\n\ndata: ")
            if b"\n" not in b"".join(parts):
                return [Event(part) for part in parts]
        return self._feed_lines(chunk)

    def finish(self) -> list[Event]:
        """Return the event that lacks only its blank line, as servers leave it that end with ``[DONE]``."""
        return self._feed_lines(b"\n\n")

    def _feed_lines(self, chunk: bytes) -> list[Event]:
        if not chunk:
            return []
        if self._after_cr and chunk.startswith(b"\n"):  # the second half of a CRLF that a read split
            chunk = chunk[1:]
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        self._check_size()
        if self._at_start and (lines or len(self._rest) >= len(_BOM)):
            lines = self._without_bom(lines)
        return [event for line in lines if (event := self._take_line(line)) is not None]

    def _without_bom(self, lines: list[bytes]) -> list[bytes]:
        self._at_start = False
        if not lines:
            self._rest = self._rest.removeprefix(_BOM)
            return lines
        return [lines[0].removeprefix(_BOM), *lines[1:]]

    def _check_size(self) -> None:
        if len(self._rest) + self._data_bytes > MAX_EVENT_BYTES:
            raise SseError(f"an event of more than {MAX_EVENT_BYTES} bytes")

    def _take_line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._data_bytes += len(value)
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")
        return None  # comments (no name), id, retry and unknown fields carry nothing that we measure

    def _dispatch(self) -> Event | None:
        event = Event(b"\n".join(self._data), self._name) if self._data else None
        self._data, self._data_bytes, self._name = [], 0, None
        return event
