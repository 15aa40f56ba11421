"""Idle kept-alive connections, the warmest first."""

from __future__ import annotations

from harness.load.connection import Connection


class Pool:
    """A stack of at most ``limit`` idle connections. The last one put back is the first one taken."""

    __slots__ = ("_idle", "_limit")

    def __init__(self, limit: int) -> None:
        self._idle: dict[Connection, None] = {}  # ordered, and a member can be removed from its middle
        self._limit = limit

    def __len__(self) -> int:
        return len(self._idle)

    def take(self) -> Connection | None:
        """Return an idle connection, or None."""
        return self._idle.popitem()[0] if self._idle else None

    def put(self, connection: Connection) -> None:
        """Keep ``connection`` for the next call; close it when there are enough."""
        if len(self._idle) < self._limit:
            self._idle[connection] = None
        else:
            connection.close()

    def remove(self, connection: Connection) -> None:
        """Forget ``connection``, if it is here."""
        self._idle.pop(connection, None)

    def close(self) -> None:
        """Close every idle connection."""
        while self._idle:
            self._idle.popitem()[0].close()
