"""The target's log lines to Elasticsearch: into a spool of this process, out of it by a shipper's process.

The lines still go where they went before. Make it after the fork, in the process that serves, and after the
loggers were configured.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from observability.ecs import EcsFormatter
from observability.elastic.launch import ShipperProcess
from observability.elastic.ledger import Ledger, total
from observability.elastic.log_handler import SpoolHandler
from observability.elastic.streams import Stream
from observability.spool.claim import claim_writer
from observability.spool.cursor import read_cursor
from target_server.telemetry.request_log import LOGGER_NAMES, SERVICE_NAME

_DRAIN_SECONDS = 10.0
logger = logging.getLogger("tidegate_target.log_shipping")


class LogShipping:
    """Ships what our loggers write, from now until ``close``."""

    def __init__(self, root: Path, url: str, drain_seconds: float = _DRAIN_SECONDS) -> None:
        """Raise OSError where the spool or the shipper cannot be made."""
        self._folder, self._writer = claim_writer(root)
        self._process = ShipperProcess(self._folder, url, drain_seconds)
        self._handler = SpoolHandler(self._writer, Stream.TARGET, EcsFormatter(SERVICE_NAME))
        for name in LOGGER_NAMES:
            logging.getLogger(name).addHandler(self._handler)

    def counts(self) -> Mapping[str, int]:
        """Return how many lines were accepted, refused, stored, there already, and refused by the store.

        Those of an earlier process that the spool was taken over from are among the last three.
        """
        spool = self._writer.counts
        tally = total(Ledger.from_notes(read_cursor(self._folder).notes).streams.values())
        return {
            "accepted": spool.accepted,
            "refused": spool.refused,
            "stored": tally.stored,
            "duplicate": tally.duplicates,
            "dead_lettered": tally.dead_lettered,
        }

    def close(self) -> None:
        """Ship what is left, within the drain time, and say what was refused or stays behind."""
        for name in LOGGER_NAMES:
            logging.getLogger(name).removeHandler(self._handler)
        self._writer.close()
        all_shipped = self._process.finish()
        counts = self.counts()
        if counts["refused"] or counts["dead_lettered"]:
            lost = f"{counts['refused']} did not fit into the spool, {counts['dead_lettered']} were not taken"
            logger.warning("log lines are missing in Elasticsearch: %s", lost)
        if not all_shipped:
            logger.warning("log lines wait in %s until a target starts there again", self._folder)
