"""A timer of nanosecond resolution for an asyncio loop (Linux timerfd): uvloop's own counts milliseconds."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1
_NS = 1_000_000_000


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Itimerspec(ctypes.Structure):
    _fields_ = [("interval", _Timespec), ("value", _Timespec)]


_libc = ctypes.CDLL(None, use_errno=True)


class TimerFd:
    """Calls ``callback`` from the loop at the instant it was last armed for, on the monotonic clock.

    It is ready until it is armed again, and nothing reads it: arming takes its expiry back, which saves a
    system call. So a callback must arm it, or silence it by ``arm(0)``.
    """

    __slots__ = ("_fd", "_loop", "_reference", "_value")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._fd = _libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        spec = _Itimerspec()
        self._value, self._reference = spec.value, ctypes.byref(spec)
        self._loop = loop
        loop.add_reader(self._fd, callback)

    def arm(self, at_ns: int) -> None:
        """Expire at ``at_ns``, at once if that is past; 0: stay silent until armed again."""
        self._value.seconds, self._value.nanoseconds = divmod(at_ns, _NS)
        _libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, self._reference, None)

    def close(self) -> None:
        """Release the descriptor."""
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
