"""What Python does for the HTTP server in C: it renders answers, pages and refusals, once for every kind.

All that happens for each token, request and connection is in ``src/``; see ``src/server.h``.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
from array import array
from collections.abc import Callable
from itertools import count
from typing import Any

from harness.calibrate.golden.answers import MODEL, Answer, Ask, answerer, page, refusal
from harness.calibrate.golden.counts import SharedCounts
from harness.calibrate.golden.library import (
    AnswerCall,
    Callbacks,
    ForgetCall,
    PageCall,
    RefuseCall,
    ServerSettings,
    address_of,
    load,
    rows_of,
)
from harness.calibrate.golden.log import Columns
from harness.calibrate.golden.timetable import Timetable
from harness.core.histogram import histogram_at

SPIN_NS = 300_000
"""On a core of its own, what is due sooner than this is waited for by turning, never by sleeping: to be woken
costs some 50 µs."""
_MODELS = page(json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode())
_HEALTH = page(b'{"status":"ok"}')
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_APIS = ("chat", "completions")
_NO_STOP = -1
_REFUSALS = (
    (500, ""),  # GT_TAKEN is none
    (431, "the head is too long"),
    (400, "the request line is not HTTP/1.1"),
    (400, "a header is not HTTP/1.1: {}"),
    (400, "the Content-Length is not a number"),
    (411, "send the body with a Content-Length"),
    (413, "the body is longer than 16 MiB"),
    (404, "no such path: {}"),
    (405, "ask for an answer by POST"),
    (400, "the body is not the API's JSON: {}"),
)
"""``gt_refusal`` in words."""


class HttpServer:
    """One process's HTTP server over a listening socket.

    ``dump`` writes the log and returns how many requests it has, and its file's name. ``stop``: a descriptor
    that becomes readable when ``run`` shall return. Raises OSError when the server cannot be had.
    """

    def __init__(
        self,
        listener: socket.socket,
        timetable: Timetable,
        counts: SharedCounts,
        dump: Callable[[], tuple[int, str]],
        *,
        stop: int = _NO_STOP,
        spins: bool = False,
    ) -> None:
        self._library = load()
        self._listener = listener
        self._counts = counts
        self._dump = dump
        self._answer_of = answerer(timetable)
        self._kept: dict[int, Answer] = {}
        self._numbers = count(1)
        self._reply = b""  # C reads it after the call has returned
        self._callbacks = Callbacks(
            AnswerCall(self._answer),
            ForgetCall(self._kept.pop),
            PageCall(self._page),
            RefuseCall(self._refuse),
        )
        settings = ServerSettings(counts.address, SPIN_NS if spins else 0, listener.fileno(), stop)
        self._server = self._library.gt_server_new(ctypes.byref(settings), ctypes.byref(self._callbacks))
        if not self._server:
            raise OSError("no memory or no descriptor for the golden target")

    def run(self) -> None:
        """Serve until ``stop`` is readable."""
        self._library.gt_server_run(self._server)

    def fileno(self) -> int:
        """Return a descriptor that is readable when ``turn`` has something to do."""
        return int(self._library.gt_server_fd(self._server))

    def turn(self) -> int:
        """Do what can be done now; return when to come back, on the monotonic clock, or 0."""
        return int(self._library.gt_server_turn(self._server))

    def columns(self) -> Columns:
        """Return the truth so far: views, to be read before the server runs again."""
        return Columns(
            rows_of(self._server),
            histogram_at(self._library.gt_server_gaps(self._server)),
            histogram_at(self._library.gt_server_pace(self._server)),
        )

    def close(self) -> None:
        """Close every connection, and free the server with its truth."""
        self._library.gt_server_free(self._server)
        self._server = None

    def _answer(self, ask: Any, made: Any, reply: Any) -> int:
        asked = ask.contents
        line = asked.line.get().decode("utf-8", "replace")
        wanted = Ask(_APIS[asked.completions], bool(asked.stream), asked.max_tokens, bool(asked.usage))
        try:
            answer = self._answer_of(line, wanted)
        except ValueError as error:
            self._set(reply, refusal(400, str(error)))
            return 0
        number = next(self._numbers)
        self._kept[number] = answer
        _fill(made.contents, answer)
        return number

    def _page(self, path: Any, reply: Any) -> None:
        made = self._page_at(path.contents.get())
        if made is not None:
            self._set(reply, made)

    def _page_at(self, path: bytes) -> bytes | None:
        if path == b"/v1/models":
            return _MODELS
        if path == b"/health":
            return _HEALTH
        if path == b"/metrics":
            return page(self._counts.page(), _PROMETHEUS)
        if path == b"/golden/log":
            requests, file = self._dump()
            return page(json.dumps({"pid": os.getpid(), "requests": requests, "file": file}).encode())
        return None

    def _refuse(self, reason: int, detail: Any, reply: Any) -> None:
        status, text = _REFUSALS[reason]
        self._set(reply, refusal(status, text.format(detail.contents.get().decode("latin-1"))))

    def _set(self, reply: Any, data: bytes) -> None:
        self._reply = data
        reply.contents.set(data)


def _fill(made: Any, answer: Answer) -> None:
    for name in ("first", "middle", "last"):
        getattr(made, name).set(getattr(answer, name))
    for name in ("first_ns", "gaps_ns", "stalls"):
        values: array[int] = getattr(answer, name)
        setattr(made, name, address_of(values) if values else None)
    made.first_mask, made.gaps_mask = len(answer.first_ns) - 1, len(answer.gaps_ns) - 1
    made.stalls_count = len(answer.stalls) // 2
    for name in ("writes", "tokens", "status", "finishes", "resets", "stream"):
        setattr(made, name, int(getattr(answer, name)))
