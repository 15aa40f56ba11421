"""A logging handler that puts ECS lines into a spool: it never waits, and never logs itself."""

from __future__ import annotations

import logging
import secrets

from observability.elastic.document import Document
from observability.elastic.streams import Stream
from observability.spool.writer import SpoolWriter


class SpoolHandler(logging.Handler):
    """Offers each record, as the formatter writes it (one JSON object), under an id of its own.

    The id is made here, once, from a name and a number: two lines that say the same are two. The name is
    this handler's own where none is given. ``offered`` counts the lines; the spool counts those it refuses.
    """

    def __init__(
        self, writer: SpoolWriter, stream: Stream, formatter: logging.Formatter, name: str | None = None
    ) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._writer, self._stream = writer, stream
        self._id_of = f"{name or secrets.token_hex(8)}-{{}}".format
        self.offered = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Offer the line. Called under the handler's lock."""
        try:
            line = self.format(record).encode()
        except Exception:  # noqa: BLE001 - logging's own rule: tell of it where it is configured, never raise
            self.handleError(record)
            return
        document = Document(self._stream, self._id_of(self.offered), line)
        self.offered += 1
        self._writer.offer(document.to_entry())
