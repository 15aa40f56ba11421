"""Have the running stack's Prometheus watch a run's generator while it sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from stack.endpoints import FOLDER, read_endpoints
from stack.native.ports import is_free
from stack.scrape import announce, withdraw

Watch = Callable[[str, Sequence[str]], AbstractContextManager[None]]
"""Takes a run's id and the addresses of its metrics pages, and watches them within the block."""

FIRST_PORT = 9464
"""Where OpenTelemetry's Prometheus exporters listen."""
_MOST_WORKERS = 64
_LAST_PORT = 32000


def watch_for(folder: Path = FOLDER) -> Watch | None:
    """Return what watches a run; None where no Prometheus of ours runs."""
    endpoints = read_endpoints(folder)
    if endpoints is None or endpoints.prometheus is None:
        return None

    @contextmanager
    def watch(run_id: str, addresses: Sequence[str]) -> Iterator[None]:
        announce("generator", run_id, addresses, folder=folder)
        try:
            yield
        finally:
            withdraw("generator", run_id, folder)

    return watch


def free_metrics_port() -> int:
    """Return a port that is free, as those of the workers after it are."""
    for first in range(FIRST_PORT, _LAST_PORT, _MOST_WORKERS):
        if all(map(is_free, range(first, first + _MOST_WORKERS))):
            return first
    raise OSError(f"no {_MOST_WORKERS} free ports in a row below {_LAST_PORT}")
