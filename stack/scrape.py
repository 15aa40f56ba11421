"""Tell Prometheus whom to watch: one file for each target or generator, which come and go."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from stack.endpoints import FOLDER

Job = Literal["target", "generator", "gpu"]


def scrape_folder(folder: Path = FOLDER) -> Path:
    """Return where the stack's Prometheus looks for files; it is made when missing."""
    scrape = folder.absolute() / "scrape"
    scrape.mkdir(parents=True, exist_ok=True)
    return scrape


def announce(
    job: Job,
    name: str,
    addresses: Sequence[str],
    labels: Mapping[str, str] | None = None,
    folder: Path = FOLDER,
) -> Path:
    """Have ``/metrics`` of these addresses (``host:port``) scraped each second; return the file that says so.

    Prometheus sees it within 2 s. ``name`` tells it from others of its job; the labels go on every series.
    """
    file = scrape_folder(folder) / f"{job}-{name}.json"
    unfinished = file.with_suffix(".part")
    unfinished.write_text(json.dumps([{"targets": list(addresses), "labels": dict(labels or {})}]))
    unfinished.replace(file)
    return file


def withdraw(job: Job, name: str, folder: Path = FOLDER) -> None:
    """Have them scraped no longer."""
    (scrape_folder(folder) / f"{job}-{name}.json").unlink(missing_ok=True)
