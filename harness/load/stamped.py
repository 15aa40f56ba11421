"""Reading with the kernel's stamp: when bytes reached this machine, not when Python came round to them."""

from __future__ import annotations

import _socket
import struct
from time import monotonic_ns, time_ns

SO_TIMESTAMPING = 37
_RECEIVE_SOFTWARE, _REPORT_SOFTWARE = 1 << 3, 1 << 4
_stamp = struct.Struct("qq").unpack_from
_ANCILLARY_BYTES = 64  # one header and three timespecs, of which the first is the software stamp
_OLDEST_NS = 60_000_000_000


def ask_for_stamps(sock: _socket.socket) -> None:
    """Have the kernel stamp what arrives (software stamps: also over loopback)."""
    sock.setsockopt(_socket.SOL_SOCKET, SO_TIMESTAMPING, _RECEIVE_SOFTWARE | _REPORT_SOFTWARE)


class ReadCounts:
    """How many reads there were, and how many of them had the kernel's stamp."""

    __slots__ = ("reads", "stamped")

    def __init__(self) -> None:
        self.reads = 0
        self.stamped = 0


def receive(sock: _socket.socket, size: int, counts: ReadCounts) -> tuple[bytes, int]:
    """Return what can be read now and when its last byte arrived, in monotonic nanoseconds. Raises OSError.

    The kernel stamps in wall-clock time: its age now is taken from the monotonic time now, so that a clock
    that was set between two reads moves nothing. Without a stamp, or with one that cannot be, it is now.
    """
    data, ancillary, _, _ = sock.recvmsg(size, _ANCILLARY_BYTES)
    now_ns = monotonic_ns()
    counts.reads += 1
    if ancillary:  # nothing but stamps was asked for
        seconds, nanoseconds = _stamp(ancillary[0][2])
        age_ns = time_ns() - seconds * 1_000_000_000 - nanoseconds
        if 0 < age_ns < _OLDEST_NS:
            counts.stamped += 1
            return data, now_ns - age_ns
    return data, now_ns
