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
from harness.calibrate.golden.sockets import receive

_MODELS = page(json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode())
_HEALTH = page(b'{"status":"ok"}')
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: closing sends a reset
_ACCEPTED_A_TURN = 64
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Golden:
    """What all connections of a process share. ``dump`` writes the log and returns its file's name."""

    answer_of: Callable[[str, Ask], Answer]
    loop: asyncio.AbstractEventLoop
    schedule: Schedule
    log: TruthLog
    counts: SharedCounts
    dump: Callable[[], str]


class Connection:
    """A keep-alive connection; it answers one request at a time.

    Reads and writes go to the socket itself and not through a transport, which would read without the
    kernel's stamp, and send at the end of the loop's turn: the logged instants are those of the wire.
    """

    __slots__ = (
        *("_answer", "_closes", "_fd", "_golden", "_last_ns", "_position", "_row", "_socket", "_unread"),
        *("_unsent", "_written", "due_ns"),
    )

    def __init__(self, golden: Golden, sock: socket.socket) -> None:
        self._golden = golden
        self._socket = sock
        self._fd = sock.fileno()
        self._unread = b""
        self._unsent: bytearray | None = None
        self._answer: Answer | None = None
        self._closes = False
        self._written = 0
        self._position = 0
        self._row = 0
        self._last_ns = 0
        self.due_ns = 0
        golden.loop.add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        try:
            data, arrived_ns = receive(self._socket)
        except BlockingIOError:
            return
        except OSError:
            data, arrived_ns = b"", 0
        if not data:
            self._close()
            return
        self._unread = data if not self._unread else self._unread + data
        if self._answer is None:
            self._take_request(arrived_ns)

    def _close(self) -> None:
        """Count what an unfinished answer had, and let go."""
        if self._fd < 0:
            return
        if self._answer is not None:
            self._broken(self._written if self._answer.stream else 0)
        self._golden.schedule.forget(self._fd)
        self._golden.loop.remove_reader(self._fd)
        self._golden.loop.remove_writer(self._fd)
        self._fd, self._unsent = -1, None
        self._socket.close()

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
        if self._unsent is not None:
            self._unsent += data
            return
        try:
            sent = _write(self._fd, data)
        except BlockingIOError:
            sent = 0
        except OSError:  # the peer is gone: the next read will tell
            return
        if sent < len(data):
            self._unsent = bytearray(data[sent:])
            self._golden.loop.add_writer(self._fd, self._catch_up)

    def _catch_up(self) -> None:
        """Write what a slow reader had no room for."""
        assert self._unsent is not None
        try:
            del self._unsent[: _write(self._fd, self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._close()
            return
        if not self._unsent:
            self._unsent = None
            self._golden.loop.remove_writer(self._fd)
            if self._closes and self._answer is None:
                self._close()

    def _take_request(self, arrived_ns: int) -> None:
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
                self._answer_request(head, body, arrived_ns)
        except RequestError as error:
            self._refuse(error)

    def _answer_request(self, head: Head, body: bytes, arrived_ns: int) -> None:
        if head.method != b"GET" or not self._get(head):
            self._begin(head, body, arrived_ns)

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

    def _begin(self, head: Head, body: bytes, arrived_ns: int) -> None:
        golden = self._golden
        answer, trace = self._answer_to(head, body), head.trace
        # Where the request begins in the tables of drawn delays follows from its trace id, if it has one.
        self._position = int.from_bytes(trace[-2:], "big") or len(golden.log)
        self.due_ns = arrived_ns + answer.first_delay_ns(self._position)
        self._row = golden.log.begin(trace, arrived_ns, self.due_ns, answer.status)
        self._answer, self._written = answer, 0
        now_ns = time.monotonic_ns()
        if answer.writes == 1 and self.due_ns <= now_ns:
            self.write_next(now_ns)
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
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._close()

    def _refuse(self, error: RequestError) -> None:
        self._golden.counts.add(counts.REFUSED)
        if error.status != HTTPStatus.NOT_FOUND:
            self._closes = True  # where the next request begins is not certain
        self._reply(refusal(error.status, str(error)))

    def _reply(self, data: bytes) -> None:
        self._send(data)
        self._next_request()

    def _next_request(self) -> None:
        if self._closes:
            if self._unsent is None:
                self._close()
        elif self._unread:
            self._take_request(time.monotonic_ns())


def _ending(answer: Answer) -> int:
    if answer.status != HTTPStatus.OK:
        return counts.REFUSED
    return counts.FINISHED if answer.finishes else counts.BROKEN


def accept(listener: socket.socket, golden: Golden) -> None:
    """Take the connections that wait at a listener, a turn's share of them."""
    for _ in range(_ACCEPTED_A_TURN):
        try:
            sock, _ = listener.accept()
        except OSError:  # nobody waits any more, or left again, or there is no descriptor for it
            return
        sock.setblocking(False)
        Connection(golden, sock)
