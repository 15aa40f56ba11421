"""Starting, ready, draining: whether this process takes work, and which answers are still open."""

from __future__ import annotations

from target_server.api.errors import ApiError, unavailable
from target_server.engine.protocol import Engine, Stream


class Lifecycle:
    """Draining begins once and never ends. ``cut`` is set when the grace period is over."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: set[Stream] = set()
        self.draining = False
        self.cut = False

    @property
    def state(self) -> str:
        """Return ``starting``, ``ready`` or ``draining``."""
        if self.draining:
            return "draining"
        return "ready" if self._engine.ready else "starting"

    @property
    def open_answers(self) -> int:
        """Count the answers that are not complete yet."""
        return len(self._open)

    def refuse_unless_ready(self) -> None:
        """Raise the 503 that fits the state."""
        if self.draining:
            raise unavailable("The server is shutting down.", "draining", close=True)
        if not self._engine.ready:
            raise unavailable("The engine is not ready.", "not_ready", close=False)

    def hold(self, stream: Stream) -> None:
        """Count an answer as open while it is being given."""
        self._open.add(stream)

    def release(self, stream: Stream) -> None:
        """End that; the answer's slot is free in every case."""
        self._open.discard(stream)
        stream.cancel()

    def cut_open_answers(self) -> None:
        """End what is still open: each answer then ends with an error event."""
        self.cut = True
        for stream in list(self._open):
            stream.cancel()

    def cut_short(self) -> ApiError:
        """Return the error that an answer gets which the grace period did not suffice for."""
        return unavailable("The server shut down before the answer was complete.", "draining", close=True)
