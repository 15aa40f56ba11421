"""The shipper as a process of its own: ``python -m observability.elastic.process FOLDER``.

The address comes from the environment, where no list of processes shows its password. Standard input is a
pipe from the writer of the spool: its end, or SIGTERM, says that nothing more will come. Exit code 0: all is
shipped; 3: something is left in the spool.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from elasticsearch import Elasticsearch

from observability.ecs import configure_ecs_logging
from observability.elastic.bulk import bulk_create
from observability.elastic.client import FAILURES, URL_VARIABLE, connect, explain
from observability.elastic.dead_letters import DeadLetters
from observability.elastic.ledger import Ledger
from observability.elastic.patience import GaveUpError, Patience
from observability.elastic.provision import provision_if_allowed
from observability.elastic.rollover import Rollovers
from observability.elastic.shipper import Shipper
from observability.spool.lock import SpoolBusyError
from observability.spool.reader import SpoolReader

LOG_NAME = "shipper.log.jsonl"
SOMETHING_LEFT = 3
_IDLE_SECONDS = 0.1
_log = logging.getLogger("tidegate.shipper")


def main() -> None:
    """Ship until the writer is done and the spool is empty, or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="The spool.")
    parser.add_argument("--drain-seconds", type=float, default=60.0, help="How long what is left may take.")
    options = parser.parse_args()
    configure_ecs_logging("tidegate.shipper", "tidegate-shipper", options.folder / LOG_NAME)
    patience = Patience()
    _listen(patience, options.drain_seconds)
    sys.exit(ship(options.folder, connect(os.environ[URL_VARIABLE]), patience))


def ship(folder: Path, client: Elasticsearch, patience: Patience) -> int:
    """Ship a spool's entries until nothing more will come; return the exit code."""
    try:
        reader = _reader(folder, patience)
    except GaveUpError:
        return SOMETHING_LEFT
    ledger = Ledger.from_notes(reader.cursor.notes)
    letters = DeadLetters(folder, ledger.dead_letter_bytes)
    rollovers = Rollovers(client, ledger.floors)
    shipper = Shipper(reader, lambda documents: bulk_create(client, documents), rollovers, letters, patience)
    try:
        _provision(client, patience)
        _ship_all(shipper, patience)
    except GaveUpError as error:
        shipper.give_up(str(error))
        return SOMETHING_LEFT
    finally:
        letters.close()
        reader.close()
    return 0


def _reader(folder: Path, patience: Patience) -> SpoolReader:
    """Return the spool's reader, once the shipper of an earlier writer has let go of it."""
    while True:
        try:
            return SpoolReader(folder)
        except SpoolBusyError as error:
            patience.after_failure(str(error))


def _ship_all(shipper: Shipper, patience: Patience) -> None:
    while True:
        nothing_more_will_come = patience.ending  # asked before the look: what came between is still seen
        if shipper.ship_once():
            continue
        if nothing_more_will_come:
            return
        patience.idle(_IDLE_SECONDS)


def _provision(client: Elasticsearch, patience: Patience) -> None:
    """Make sure of the templates, for a data stream is made by the first document."""
    while True:
        try:
            provision_if_allowed(client)
        except FAILURES as error:
            _log.warning("trying again: %s", explain(error))
            patience.after_failure(explain(error))
        else:
            return patience.succeeded()


def _listen(patience: Patience, drain_seconds: float) -> None:
    """End on SIGTERM and at the end of standard input. Ctrl-C is meant for the writer, which then ends us."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: patience.end_within(drain_seconds))
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait_for_the_end() -> None:
        while os.read(0, 4096):
            pass
        patience.end_within(drain_seconds)

    threading.Thread(target=wait_for_the_end, name="end-of-input", daemon=True).start()


if __name__ == "__main__":
    main()
