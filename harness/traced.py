"""A run's client spans on their way to a collector, and what of them arrived.

They are made when the load is over and before the run is judged: what nobody acknowledged is missing
telemetry, and the verdict says so.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.assess import read_identity
from harness.errors import UsageError
from harness.measure.records import read_records
from harness.telemetry.telemetry_file import update_telemetry

if TYPE_CHECKING:
    from harness.telemetry.client_spans import SpanCounts

OFF = "off"
_CONNECT_SECONDS = 2.0


def collector_for(asked: str | None, running: str | None, note: Callable[[str], None]) -> str | None:
    """Return the base URL of the OTLP/HTTP endpoint that gets the spans, or None for none.

    ``asked`` is a URL, ``off`` or None; ``running`` is where the stack of this folder has its collector.
    Raise UsageError when the one that was asked for cannot be reached; of one that only was found here,
    ``note`` tells, and runs go on without.
    """
    url = asked or running
    if url is None or url == OFF:
        return None
    problem = _unreachable(url)
    if problem is None:
        return url.rstrip("/")
    if asked:
        raise UsageError(f"--otlp: given {url!r}: {problem}")
    note(f"no traces of these runs: the stack's collector at {url}: {problem}")
    return None


def tell_spans(run_dir: Path, url: str) -> SpanCounts:
    """Send the spans of a run whose load is over, and write down how many arrived."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    from harness.telemetry.client_spans import client_spans, ship_spans
    from harness.telemetry.request_documents import DocumentedRun
    from harness.telemetry.worth_telling import worth_telling

    run = DocumentedRun(*read_identity(run_dir))
    records = read_records(run_dir)
    rows = worth_telling(records, run.scenario.trace_sample_share)
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces")
    counts = ship_spans(client_spans(run, records, rows.tolist()), exporter)
    update_telemetry(run_dir, client_spans=asdict(counts) | {"lost": counts.lost})
    return counts


def _unreachable(url: str) -> str | None:
    """Return why nobody can be reached there, or None."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "it is no http URL, such as http://127.0.0.1:4318"
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), _CONNECT_SECONDS).close()
    except OSError as error:
        return str(error)
    return None
