"""One connection of the golden target: reads a request, answers by the timetable, logs the truth."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from os import write as _write
from typing import cast

from harness.calibrate.golden import counts
from harness.calibrate.golden.answers import MODEL, Answer, Ask, page, refusal
from harness.calibrate.golden.counts import SharedCounts
from harness.calibrate.golden.log import TruthLog
from harness.calibrate.golden.requests import (
    Head,
    RequestError,
    check_unfinished,
    read_ask,
    read_head,
)
from harness.calibrate.golden.schedule import Schedule

_MODELS = page(json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode())
_HEALTH = page(b'{"status":"ok"}')
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: closing sends a reset
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Golden:
    """What all connections of a process share. ``dump`` writes the log and returns its file's name."""

    answer_of: Callable[[str, Ask], Answer]
    schedule: Schedule
    log: TruthLog
    counts: SharedCounts
    dump: Callable[[], str]


class GoldenProtocol(asyncio.Protocol):
    """A keep-alive connection; it answers one request at a time.

    Tokens do not go through the transport, which would send them at the end of the loop's turn: they are
    written to the socket at once, so that the logged instant is that of the write. Only what the socket does
    not take is left to the transport, which then keeps the order until it has caught up.
    """

    __slots__ = (
        "_answer",
        "_behind",
        "_closes",
        "_fd",
        "_golden",
        "_last_ns",
        "_position",
        "_row",
        "_transport",
        "_unread",
        "_written",
        "due_ns",
    )

    def __init__(self, golden: Golden) -> None:
        self._golden = golden
        self._transport: asyncio.Transport | None = None
        self._fd = -1
        self._unread = b""
        self._answer: Answer | None = None
        self._behind = False
        self._closes = False
        self._written = 0
        self._position = 0
        self._row = 0
        self._last_ns = 0
        self.due_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and the descriptor of its socket."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._fd = transport.get_extra_info("socket").fileno()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Count what an unfinished answer had, and let go."""
        self._golden.schedule.forget(self._fd)
        if self._answer is not None:
            self._broken(self._written if self._answer.stream else 0)
        self._fd, self._transport, self.due_ns = -1, None, 0

    def data_received(self, data: bytes) -> None:
        """Take bytes; begin the answer when they complete a request."""
        now_ns = time.monotonic_ns()
        self._unread = data if not self._unread else self._unread + data
        if self._answer is None:
            self._take_request(now_ns)

    def write_next(self, now_ns: int) -> int:
        """Write what is due; return when the next write is, or 0 when the answer has ended.

        A token costs some 5 µs, of which the system call takes half: so nothing here is a call that need not
        be one.
        """
        answer, log = self._answer, self._golden.log
        assert answer is not None
        self._written = number = self._written + 1
        if number == answer.writes:
            self._end(answer, now_ns)
            return 0
        log.pace_ns(now_ns - self.due_ns)
        if number == 1:
            log.first_write_ns[self._row] = now_ns
            self._send(answer.first)
        else:
            log.gap_ns(now_ns - self._last_ns)
            self._send(answer.middle)
        self._last_ns = now_ns
        due_ns = self.due_ns + answer.gaps_ns[(self._position + number) & answer.gaps_mask]
        if answer.stalls_ns:
            due_ns += answer.stalls_ns.get(number + 1, 0)
        self.due_ns = due_ns
        return due_ns

    def _send(self, data: bytes) -> None:
        if self._behind and self._catch_up(data):
            return
        try:
            sent = _write(self._fd, data)
        except BlockingIOError:
            sent = 0
        except OSError:  # the peer is gone: the transport will tell
            return
        if sent < len(data) and self._transport is not None:
            self._behind = True
            self._transport.write(data[sent:])

    def _catch_up(self, data: bytes) -> bool:
        """Hand the data to the transport while it still holds older bytes."""
        assert self._transport is not None
        self._behind = self._transport.get_write_buffer_size() > 0
        if self._behind:
            self._transport.write(data)
        return self._behind

    def _take_request(self, now_ns: int) -> None:
        end = self._unread.find(b"\r\n\r\n")
        try:
            if end < 0:
                check_unfinished(self._unread)
                return
            head = read_head(self._unread[:end])
            body_end = end + 4 + head.length
            if len(self._unread) >= body_end:
                body, self._unread = self._unread[end + 4 : body_end], self._unread[body_end:]
                self._closes = head.closes
                self._answer_request(head, body, now_ns)
        except RequestError as error:
            self._refuse(error)

    def _answer_request(self, head: Head, body: bytes, now_ns: int) -> None:
        if head.method != b"GET" or not self._get(head):
            self._begin(head, body, now_ns)

    def _get(self, head: Head) -> bool:
        if head.path == b"/v1/models":
            self._reply(_MODELS)
        elif head.path == b"/health":
            self._reply(_HEALTH)
        elif head.path == b"/metrics":
            self._reply(page(self._golden.counts.page(), _PROMETHEUS))
        elif head.path == b"/golden/log":
            told = {"pid": os.getpid(), "requests": len(self._golden.log), "file": self._golden.dump()}
            self._reply(page(json.dumps(told).encode()))
        else:
            return False
        return True

    def _begin(self, head: Head, body: bytes, now_ns: int) -> None:
        golden = self._golden
        answer, trace = self._answer_to(head, body), head.trace
        # Where the request begins in the tables of drawn delays follows from its trace id, if it has one.
        self._position = int.from_bytes(trace[-2:], "big") or len(golden.log)
        self.due_ns = now_ns + answer.first_delay_ns(self._position)
        self._row = golden.log.begin(trace, now_ns, self.due_ns, answer.status)
        self._answer, self._written = answer, 0
        if answer.writes == 1 and self.due_ns <= now_ns:
            self.write_next(time.monotonic_ns())
        else:
            golden.schedule.add(self._fd, self)

    def _answer_to(self, head: Head, body: bytes) -> Answer:
        line, ask = read_ask(head, body)
        try:
            return self._golden.answer_of(line, ask)
        except ValueError as error:
            raise RequestError(str(error)) from None

    def _end(self, answer: Answer, now_ns: int) -> None:
        """Do the answer's last write. All counts move before it: who has read it may read them."""
        golden, log = self._golden, self._golden.log
        if answer.resets:
            self._broken(answer.tokens)
            self._reset()
            return
        log.pace_ns(now_ns - self.due_ns)
        log.last_write_ns[self._row] = now_ns
        log.tokens[self._row] = answer.tokens
        if answer.writes == 1:
            log.first_write_ns[self._row] = now_ns
        else:
            log.gap_ns(now_ns - self._last_ns)
        golden.counts.add(counts.TOKENS, answer.tokens)
        golden.counts.add(_ending(answer))
        self._answer, self.due_ns = None, 0
        self._send(answer.first if answer.writes == 1 else answer.last)
        self._next_request()

    def _broken(self, tokens: int) -> None:
        log = self._golden.log
        log.tokens[self._row] = tokens
        if tokens:
            log.last_write_ns[self._row] = self._last_ns
        self._golden.counts.add(counts.TOKENS, tokens)
        self._golden.counts.add(counts.BROKEN)
        self._answer, self.due_ns = None, 0

    def _reset(self) -> None:
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    def _refuse(self, error: RequestError) -> None:
        self._golden.counts.add(counts.REFUSED)
        if error.status != HTTPStatus.NOT_FOUND:
            self._closes = True  # where the next request begins is not certain
        self._reply(refusal(error.status, str(error)))

    def _reply(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)
        self._next_request()

    def _next_request(self) -> None:
        if self._closes and self._transport is not None:
            self._transport.close()
        elif self._unread:
            self._take_request(time.monotonic_ns())


def _ending(answer: Answer) -> int:
    if answer.status != HTTPStatus.OK:
        return counts.REFUSED
    return counts.FINISHED if answer.finishes else counts.BROKEN
