"""Marks in Grafana where the stages of a run begin, and the run as a whole with its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.grafana.uids import TAG
from dashboards.provision.client import Client, Credential

_MOST = 500


@dataclass(frozen=True, slots=True)
class Mark:
    """``end_ms`` None: an instant. Both in milliseconds since 1970."""

    text: str
    start_ms: int
    end_ms: int | None = None


def run_marks(
    run_id: str, verdict: str, start_seconds: float, stages: Sequence[tuple[str, float]], seconds: float
) -> tuple[Mark, ...]:
    """Return the marks of a run that began ``start_seconds`` after 1970 and took ``seconds``.

    ``stages`` are (name, seconds after the run's start).
    """
    start_ms = round(start_seconds * 1000)
    begins = [Mark(f"{run_id}: {name}", start_ms + round(after * 1000)) for name, after in stages]
    return (Mark(f"{run_id}: {verdict}", start_ms, start_ms + round(seconds * 1000)), *begins)


def annotate(url: str, credential: Credential, run_id: str, marks: Sequence[Mark]) -> int:
    """Add the marks that Grafana does not have yet; return how many. Raises ProvisionError."""
    client = Client(url, credential)
    tags = [TAG, f"run:{run_id}"]
    there = client.do(client.api.annotations.find_annotations, tags=tags, limit=_MOST)
    known = {_key(each) for each in there}
    new = [mark for mark in marks if (mark.text, mark.start_ms) not in known]
    for mark in new:
        client.do(
            client.api.annotations.add_annotation,
            time_from=mark.start_ms,
            time_to=mark.end_ms,
            tags=tags,
            text=mark.text,
        )
    return len(new)


def _key(annotation: dict[str, Any]) -> tuple[str, int]:
    return annotation["text"], annotation["time"]
