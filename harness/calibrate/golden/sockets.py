"""Listeners that several processes share, and whose connections tell when bytes reached the machine.

A target that is busy, or frozen, reads a request late; its arrival is when the kernel had it all the same
(Linux ``SO_TIMESTAMPING``).
"""

from __future__ import annotations

import socket

_SO_TIMESTAMPING = 37
_RX_SOFTWARE, _REPORT_SOFTWARE = 1 << 3, 1 << 4


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
