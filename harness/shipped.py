"""A run that is told to Elasticsearch: its log while it goes on, its records after it, its judgement last.

The order makes the judgement true: the records are shipped and counted before the run is judged, so that what
is missing in the store is a ground of the verdict; the run's own document follows, and is counted as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from logging import Handler
from pathlib import Path

from harness.assess import conclude, read_identity, write_pages
from harness.errors import UsageError
from harness.measure.records import read_records
from harness.report.run_document import run_document
from harness.report.run_folder import Report
from harness.telemetry import run_log
from harness.telemetry.client_log import LoggedRun, write_client_log
from harness.telemetry.completeness import Shipping, StreamCounts, read_shipping, store_shipping
from harness.telemetry.log_documents import line_documents, live_documents, live_id, verdict_document
from harness.telemetry.request_documents import DocumentedRun, request_documents
from harness.telemetry.run_log import RunFormatter
from harness.telemetry.shipping import Shipment
from harness.telemetry.store import Store
from harness.telemetry.target_log import target_log_counts
from observability.elastic.document import Document
from observability.elastic.log_handler import SpoolHandler
from observability.elastic.streams import Stream

_CLIENT_LOG = "client.log.jsonl"


class RunTeller:
    """Tells runs to one store, one after the other."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._begun: Shipment | None = None

    @contextmanager
    def live(self, run_dir: Path, run_id: str) -> Iterator[tuple[Handler, ...]]:
        """Within the block, ship what is logged to the handlers. ``conclude`` then goes on with the run."""
        self._begun = shipment = self._store.open_shipment(run_dir)
        formatter = RunFormatter(run_id)
        handler = SpoolHandler(shipment.writer, Stream.GENERATOR, formatter, live_id(run_id))
        try:
            yield (handler,)
        except BaseException:
            shipment.finish()
            raise
        finally:
            shipment.note_sent(Stream.GENERATOR, handler.offered)

    def conclude(self, run_dir: Path) -> Report:
        """Ship the run's records, judge it, ship the judgement; return the report."""
        run = DocumentedRun(*read_identity(run_dir))
        begun, self._begun = self._begun, None
        shipment = begun or self._store.open_shipment(run_dir)
        try:
            if begun is None:
                shipment.send(live_documents(run_dir / run_log.FILE_NAME, run.run_id))
            shipment.send(request_documents(run_dir, run))
            shipment.send(_client_lines(run_dir, run))
            return self._judge(run_dir, run, shipment)
        finally:
            shipment.finish()

    def resume(self, run_dir: Path) -> Report:
        """Ship what a run has left in its spool, and judge it again; all of it, where it was never shipped.

        Raise UsageError when nothing is left.
        """
        before = read_shipping(run_dir)
        if before is None:
            return self.conclude(run_dir)
        if before.is_complete:
            raise UsageError(f"{run_dir}: nothing is left to ship")
        shipment = self._store.open_shipment(run_dir)
        try:
            for name in before.streams.keys() - {Stream.TARGET.dataset}:  # which the target itself ships
                shipment.note_sent(Stream.of(name), before.streams[name].sent)
            return self._judge(run_dir, DocumentedRun(*read_identity(run_dir)), shipment)
        finally:
            shipment.finish()

    def _judge(self, run_dir: Path, run: DocumentedRun, shipment: Shipment) -> Report:
        """Count, judge, ship the judgement where the records have gone, and count again."""
        if not self._settle_and_count(run_dir, run, shipment):
            return conclude(run_dir)
        report = conclude(run_dir)
        if not shipment.has_sent(Stream.RUNS):
            shipment.send([run_document(report), verdict_document(run_dir / _CLIENT_LOG, run.run_id)])
        settled = self._settle_and_count(run_dir, run, shipment)
        shipment.finish()
        shipping = read_shipping(run_dir)
        if not settled or shipping is None or not shipping.is_complete:
            return conclude(run_dir)
        shipment.remove()
        return write_pages(run_dir)

    def _settle_and_count(self, run_dir: Path, run: DocumentedRun, shipment: Shipment) -> bool:
        """Wait for the shipper and write down what became of everything; return whether it got through."""
        settled = shipment.settle()
        if not settled:
            shipment.finish()
        counts = {stream.dataset: told for stream, told in shipment.counts().items()}
        target = {} if not settled else self._target(run_dir, run)
        ledger = shipment.ledger()
        streams = {name: self._store.with_stored(name, each, run.run_id) for name, each in counts.items()}
        shipping = Shipping(streams | target, ledger.trouble, self._store.left_out, ledger.damaged_bytes)
        store_shipping(run_dir, shipping)
        return settled

    def _target(self, run_dir: Path, run: DocumentedRun) -> dict[str, StreamCounts]:
        """Return the counts of the target's own log: waited for once, and looked up again after that."""
        name, before = Stream.TARGET.dataset, read_shipping(run_dir)
        if before is not None and name in before.streams:
            return {name: self._store.with_stored(name, before.streams[name], run.run_id)}
        target, records = run.scenario.target, read_records(run_dir)
        counts = target_log_counts(self._store, target, run.run_id, records)
        return {} if counts is None else {name: counts}


def _client_lines(run_dir: Path, run: DocumentedRun) -> Iterator[Document]:
    """Write the log of single requests, whose last line is the verdict's, and return the lines before it."""
    logged = LoggedRun(run.run_id, run.scenario, run.start_wall_ns, "none yet")
    write_client_log(run_dir / _CLIENT_LOG, logged, read_records(run_dir))
    return line_documents(run_dir / _CLIENT_LOG, run.run_id)
