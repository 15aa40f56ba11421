"""Sockets whose reads tell when their bytes reached the machine (Linux ``SO_TIMESTAMPING``).

A target that is busy, or frozen, reads a request late; its arrival is when the kernel had it all the same.
"""

from __future__ import annotations

import socket
import struct
import time

_SO_TIMESTAMPING = 37
_RX_SOFTWARE, _REPORT_SOFTWARE = 1 << 3, 1 << 4
_STAMP = struct.Struct("qq")
_ANCILLARY_BYTES = 128
_READ_BYTES = 1 << 16


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address that other processes may share."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host, port))
    return made


def listening_socket(host: str, port: int, backlog: int) -> socket.socket:
    """Return a listener; what it accepts has its options: no delay, and stamps on what it receives."""
    listener = bound_socket(host, port)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _RX_SOFTWARE | _REPORT_SOFTWARE)
    listener.listen(backlog)
    listener.setblocking(False)
    return listener


def receive(sock: socket.socket) -> tuple[bytes, int]:
    """Read once: the bytes, and when the last of them reached the machine, in CLOCK_MONOTONIC nanoseconds.

    No bytes: the peer has closed. Raises BlockingIOError where there is nothing, OSError where it broke.
    """
    data, ancillary, _, _ = sock.recvmsg(_READ_BYTES, _ANCILLARY_BYTES)
    now_ns, wall_ns = time.monotonic_ns(), time.time_ns()
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPING:
            seconds, nanoseconds = _STAMP.unpack_from(value)
            if seconds:
                return data, now_ns - max(wall_ns - seconds * 1_000_000_000 - nanoseconds, 0)
    return data, now_ns
