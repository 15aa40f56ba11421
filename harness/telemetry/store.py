"""Elasticsearch as the memory of runs: reached, made ready, asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from elasticsearch import Elasticsearch

from harness.errors import TidegateError, UsageError
from harness.telemetry.completeness import StreamCounts
from harness.telemetry.shipping import DRAIN_SECONDS, Shipment
from observability.elastic.client import FAILURES, connect, explain
from observability.elastic.count import stored_documents
from observability.elastic.provision import provision_if_allowed
from observability.elastic.streams import Stream


class StoreUnreachableError(TidegateError):
    """Elasticsearch did not answer, or not as Elasticsearch does."""


class Store:
    """One Elasticsearch with our templates. ``left_out`` says what it cannot do."""

    def __init__(self, url: str, patience_seconds: float = DRAIN_SECONDS) -> None:
        """Raise StoreUnreachableError when it does not answer, UsageError for a URL that is none."""
        self._url, self._patience_seconds = url, patience_seconds
        self.client = _connected(url)
        try:
            self.left_out = provision_if_allowed(self.client).left_out
        except FAILURES as error:
            raise StoreUnreachableError(f"{without_password(url)}: {explain(error)}") from None

    def open_shipment(self, run_dir: Path) -> Shipment:
        """Return a shipment of the run in a folder. Raise TidegateError where it cannot begin."""
        try:
            return Shipment(run_dir, self._url, self._patience_seconds)
        except OSError as error:
            raise TidegateError(f"{run_dir}: nothing can be shipped from here: {error}") from None

    def stored(self, stream: Stream, run_id: str) -> int | None:
        """Return how many documents of the run the store holds; None when it does not answer."""
        try:
            return stored_documents(self.client, stream, run_id)
        except FAILURES:
            return None

    def with_stored(self, dataset: str, counts: StreamCounts, run_id: str) -> StreamCounts:
        """Return the counts with the store's own beside them."""
        return replace(counts, stored=self.stored(Stream.of(dataset), run_id))


def without_password(url: str) -> str:
    """Return the URL as it may be printed."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _connected(url: str) -> Elasticsearch:
    try:
        return connect(url)
    except ValueError as error:
        raise UsageError(f"--elasticsearch: given {without_password(url)!r}: {error}") from None
