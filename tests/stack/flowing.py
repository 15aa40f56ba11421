"""Documents that flow into a spool while something fails, and the count of them afterwards."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from elasticsearch import Elasticsearch

from observability.elastic.launch import ShipperProcess
from observability.spool.writer import SpoolWriter
from tests.observability.elastic.shipping import STREAM, document, tally

STOP_SECONDS = float(os.environ.get("TIDEGATE_FAULT_STOP_SECONDS", "8"))
"""How long the server is away; 30 by hand."""
RATE_PER_SECOND = 2000


class Flow:
    """Offers documents at a steady rate from a thread, as a run's log does, until it is ended."""

    def __init__(self, writer: SpoolWriter, run_id: str) -> None:
        self.longest_offer_seconds = 0.0
        self.offered = 0
        self._writer, self._run_id = writer, run_id
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._offer, daemon=True)
        self._thread.start()

    def end(self) -> int:
        self._ended.set()
        self._thread.join()
        return self.offered

    def _offer(self) -> None:
        while not self._ended.wait(0.01):
            for _ in range(RATE_PER_SECOND // 100):
                entry = document(self.offered, run_id=self._run_id, message="x" * 300).to_entry()
                began = time.perf_counter()
                assert self._writer.offer(entry)
                self.longest_offer_seconds = max(self.longest_offer_seconds, time.perf_counter() - began)
                self.offered += 1


@contextmanager
def flow(folder: Path, url: str, run_id: str) -> Iterator[Flow]:
    """Within the block documents flow and are shipped; at its end all must be shipped."""
    writer = SpoolWriter(folder)
    shipper = ShipperProcess(folder, url, drain_seconds=90)
    flowing = Flow(writer, run_id)
    yield flowing
    flowing.end()
    writer.close()
    assert shipper.finish()
    assert writer.counts.accepted == flowing.offered


def wait_until_stored(folder: Path, at_least: int) -> None:
    wait_until(lambda: tally(folder).stored >= at_least)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_each_is_stored_once(
    client: Elasticsearch, run_id: str, documents: int, stream: str = STREAM
) -> None:
    """Count the documents and the distinct numbers in them, over all indices of the stream."""
    client.indices.refresh(index=stream)
    numbers = []
    after = None
    while True:
        page = client.search(
            index=stream,
            query={"term": {"labels.run_id": run_id}},
            size=10_000,
            sort=["tidegate.seq", "_doc"],
            source=False,
            docvalue_fields=["tidegate.seq"],
            search_after=after,
        )["hits"]["hits"]
        if not page:
            break
        numbers += [hit["fields"]["tidegate.seq"][0] for hit in page]
        after = page[-1]["sort"]
    assert len(numbers) == documents
    assert set(numbers) == set(range(documents))
