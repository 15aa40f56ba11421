"""What is due when: one heap of integers and one timer, for all streams of a process."""

from __future__ import annotations

import asyncio
import time
from heapq import heappop, heappush, heapreplace
from typing import Protocol

from harness.calibrate.golden.timer import TimerFd

TURN_NS = 200_000
"""How long one turn may write before requests that wait in sockets are read: they have a truth as well."""
_KEY_BITS = 20
_KEY_MASK = (1 << _KEY_BITS) - 1
_NEVER = 1 << 62


class Due(Protocol):
    """What waits for an instant. ``due_ns`` is 0 while it waits for none."""

    due_ns: int

    def write_next(self, now_ns: int) -> int:
        """Do what is due; return the next instant, or 0 for none."""


class Schedule:
    """Calls ``write_next`` of every stream when it is due, the earliest first.

    An entry is ``due << 20 | key``: comparing two is comparing two integers, and a stream costs one of them.
    An entry whose stream has gone, or waits for another instant, is dropped when it comes up.
    """

    __slots__ = ("_armed_ns", "_heap", "_streams", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._heap: list[int] = []
        self._streams: dict[int, Due] = {}
        self._armed_ns = _NEVER
        self._timer = TimerFd(loop, self._on_due)

    def add(self, key: int, stream: Due) -> None:
        """Wait for ``stream.due_ns``. ``key`` must be below 2^20, and the stream's alone."""
        self._streams[key] = stream
        due_ns = stream.due_ns
        heappush(self._heap, due_ns << _KEY_BITS | key)
        if due_ns < self._armed_ns:
            self._armed_ns = due_ns
            self._timer.arm(due_ns)

    def forget(self, key: int) -> None:
        """Drop the stream of a key; harmless where there is none."""
        self._streams.pop(key, None)

    def close(self) -> None:
        """Write nothing more."""
        self._timer.close()

    def _on_due(self) -> None:
        heap, streams, clock = self._heap, self._streams, time.monotonic_ns
        now_ns = clock()
        until_ns = now_ns + TURN_NS
        while heap:
            entry = heap[0]
            due_ns = entry >> _KEY_BITS
            if due_ns > now_ns or now_ns > until_ns:
                break
            stream = streams.get(entry & _KEY_MASK)
            if stream is None or stream.due_ns != due_ns:
                heappop(heap)
                continue
            next_ns = stream.write_next(now_ns)
            if next_ns:
                heapreplace(heap, next_ns << _KEY_BITS | (entry & _KEY_MASK))
            else:
                heappop(heap)
            now_ns = clock()
        self._armed_ns = heap[0] >> _KEY_BITS if heap else _NEVER
        self._timer.arm(self._armed_ns if heap else 0)
