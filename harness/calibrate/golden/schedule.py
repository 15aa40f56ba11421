"""What is due when: one heap of integers and one timer, for all streams of a process."""

from __future__ import annotations

import asyncio
import time
from heapq import heappop, heappush, heapreplace
from typing import Protocol

from harness.calibrate.golden.timer import TimerFd

TURN_NS = 200_000
"""How long one turn may write before requests that wait in sockets are read: they have a truth as well."""
SPIN_NS = 300_000
"""On a core of its own, what is due sooner than this is waited for by turning, never by sleeping: to be woken
costs some 50 µs and to arm the timer a fifth of a turn."""
_FD_BITS = 20
_FD_MASK = (1 << _FD_BITS) - 1
_NEVER = 1 << 62
_TURNING = 0  # armed for the past: nothing can be due sooner


class Due(Protocol):
    """What waits for an instant. ``due_ns`` is 0 while it waits for none."""

    due_ns: int

    def write_next(self, now_ns: int) -> int:
        """Do what is due; return the next instant, or 0 for none."""


class Schedule:
    """Calls ``write_next`` of every stream when it is due, the earliest first.

    An entry is ``due << 20 | file descriptor``: comparing two is comparing two integers, and a stream costs
    one of them. An entry whose stream has gone, or waits for another instant, is dropped when it comes up.
    """

    __slots__ = ("_armed_ns", "_heap", "_loop", "_spin_ns", "_streams", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, *, spins: bool = False) -> None:
        self._loop = loop
        self._spin_ns = SPIN_NS if spins else 0
        self._heap: list[int] = []
        self._streams: dict[int, Due] = {}
        self._armed_ns = _NEVER
        self._timer = TimerFd(loop, self._on_due)

    def add(self, fd: int, stream: Due) -> None:
        """Wait for ``stream.due_ns``. ``fd`` must be below 2^20, and the stream's alone."""
        self._streams[fd] = stream
        due_ns = stream.due_ns
        heappush(self._heap, due_ns << _FD_BITS | fd)
        if due_ns < self._armed_ns:
            self._armed_ns = due_ns
            self._timer.arm(due_ns)

    def forget(self, fd: int) -> None:
        """Drop the stream of a descriptor; harmless where there is none."""
        self._streams.pop(fd, None)

    def close(self) -> None:
        """Write nothing more."""
        self._timer.close()

    def _on_due(self) -> None:
        heap, streams, clock = self._heap, self._streams, time.monotonic_ns
        now_ns = clock()
        until_ns = now_ns + TURN_NS
        while heap:
            entry = heap[0]
            due_ns = entry >> _FD_BITS
            if due_ns > now_ns or now_ns > until_ns:
                break
            stream = streams.get(entry & _FD_MASK)
            if stream is None or stream.due_ns != due_ns:
                heappop(heap)
                continue
            next_ns = stream.write_next(now_ns)
            if next_ns:
                heapreplace(heap, next_ns << _FD_BITS | (entry & _FD_MASK))
            else:
                heappop(heap)
            now_ns = clock()
        self._come_back(now_ns)

    def _come_back(self, now_ns: int) -> None:
        """See to it that ``_on_due`` runs when the next entry is due."""
        due_ns = self._heap[0] >> _FD_BITS if self._heap else _NEVER
        if due_ns - now_ns < self._spin_ns:
            if self._armed_ns:
                self._timer.disarm()
                self._armed_ns = _TURNING
            self._loop.call_soon(self._on_due)
        else:
            self._armed_ns = due_ns
            self._timer.arm(due_ns if self._heap else 0)
