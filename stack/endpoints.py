"""Where the running stack is reached: what the rest of the project asks of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

FOLDER = Path(".tidegate")
STATE_FILE = "stack.json"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The base URL of each running component, without a slash at its end; None for one that does not run.

    ``otlp_grpc`` and ``otlp_http`` are the Collector's, also as http URLs. Where Elasticsearch wants a
    password, its URL carries the shipper's (``user:password@``): show it to nobody.
    """

    elasticsearch: str | None = None
    prometheus: str | None = None
    otlp_grpc: str | None = None
    otlp_http: str | None = None
    jaeger: str | None = None
    alertmanager: str | None = None
    node_exporter: str | None = None
    grafana: str | None = None
    kibana: str | None = None
    redis: str | None = None


def read_endpoints(folder: Path = FOLDER) -> Endpoints | None:
    """Return where the stack of that folder runs; None where none was started there."""
    try:
        told = json.loads((folder / STATE_FILE).read_text())["endpoints"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Endpoints(**told)


def without_credentials(url: str) -> str:
    """Return the URL as it may be shown."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
