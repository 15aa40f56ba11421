"""A timer of nanosecond resolution on gevent's hub (Linux timerfd).

libev rounds its waits to whole milliseconds; a file descriptor that becomes readable at the instant itself
wakes the loop within microseconds.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = os.O_NONBLOCK
_TFD_CLOEXEC = os.O_CLOEXEC
_TFD_TIMER_ABSTIME = 1
_NS = 1_000_000_000
_READ = 1  # libev's event mask


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Itimerspec(ctypes.Structure):
    _fields_ = [("interval", _Timespec), ("value", _Timespec)]


_libc = ctypes.CDLL(None, use_errno=True)


class TimerFd:
    """Calls ``callback(expirations)`` from the hub at absolute instants of the monotonic clock."""

    __slots__ = ("_fd", "_spec", "_watcher")

    def __init__(self, loop: Any, callback: Callable[[int], None]) -> None:
        self._fd = _libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        self._spec = _Itimerspec()
        self._watcher = loop.io(self._fd, _READ, priority=loop.MAXPRI)  # before the turn's reads
        self._watcher.start(self._expired, callback)

    def arm(self, at_ns: int, every_ns: int = 0) -> None:
        """Expire at ``at_ns`` (at once if that is past), then every ``every_ns`` if that is not 0."""
        value, interval = self._spec.value, self._spec.interval
        value.seconds, value.nanoseconds = divmod(max(at_ns, 1), _NS)
        interval.seconds, interval.nanoseconds = divmod(every_ns, _NS)
        _libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(self._spec), None)

    def close(self) -> None:
        """Release the descriptor. Closing twice is harmless."""
        if self._fd >= 0:
            self._watcher.stop()
            self._watcher.close()
            os.close(self._fd)
            self._fd = -1

    def _expired(self, callback: Callable[[int], None]) -> None:
        try:
            expirations = int.from_bytes(os.read(self._fd, 8), "little")
        except BlockingIOError:  # armed anew between its expiry and this call
            return
        callback(expirations)
