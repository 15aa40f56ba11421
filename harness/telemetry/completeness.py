"""What was sent of a run, what became of it, and what the store holds: equal, or the run is told to be so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.telemetry.telemetry_file import read_telemetry, update_telemetry


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """Documents of one run in one stream.

    ``acknowledged`` were stored by a try whose answer came, ``duplicates`` by one whose answer was lost and
    which was asked for again; ``dead_lettered`` were refused by the store for good, ``dropped`` by our own
    full spool, and ``waiting`` are still in it. ``stored`` is the store's own count by run id; None: it could
    not be asked. ``unseen``: how many more there may rightly be (answers of the target that were not seen).
    """

    sent: int
    acknowledged: int = 0
    duplicates: int = 0
    dead_lettered: int = 0
    dropped: int = 0
    waiting: int = 0
    stored: int | None = None
    unseen: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether the store holds what was sent, once each."""
        return self.stored is not None and self.sent <= self.stored <= self.sent + self.unseen

    def to_plain(self) -> dict[str, Any]:
        """Return the JSON form, with the verdict on it for a reader."""
        return {**asdict(self), "complete": self.is_complete}

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> StreamCounts:
        """Read ``to_plain``'s form."""
        return cls(**{name: value for name, value in told.items() if name != "complete"})


@dataclass(frozen=True, slots=True)
class Shipping:
    """All streams of a run, by what they hold (requests, generator, target, runs).

    ``trouble`` is why something waits, "" where nothing does. ``left_out`` says what the store cannot do.
    """

    streams: Mapping[str, StreamCounts]
    trouble: str = ""
    left_out: tuple[str, ...] = ()
    damaged_bytes: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return not any(self.problems())

    def problems(self) -> Iterator[str]:
        """Say of each stream that is not complete what is missing."""
        for name, counts in self.streams.items():
            if not counts.is_complete:
                yield f"{name}: {_missing(counts)}"
        if self.damaged_bytes:
            yield f"{self.damaged_bytes} bytes of the spool were damaged"

    def to_plain(self) -> dict[str, Any]:
        """Return the JSON form, which ``telemetry.json`` carries under ``elasticsearch``."""
        plain: dict[str, Any] = {name: counts.to_plain() for name, counts in self.streams.items()}
        notes = {
            "trouble": self.trouble,
            "left_out": list(self.left_out),
            "damaged_bytes": self.damaged_bytes,
        }
        return {"streams": plain, **{name: value for name, value in notes.items() if value}}

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> Shipping:
        """Read ``to_plain``'s form."""
        streams = {name: StreamCounts.from_plain(counts) for name, counts in told["streams"].items()}
        left_out, damaged = tuple(told.get("left_out", ())), told.get("damaged_bytes", 0)
        return cls(streams, told.get("trouble", ""), left_out, damaged)


def store_shipping(run_dir: Path, shipping: Shipping) -> None:
    """Write it into the run's ``telemetry.json``."""
    update_telemetry(run_dir, elasticsearch=shipping.to_plain())


def read_shipping(run_dir: Path) -> Shipping | None:
    """Return what ``telemetry.json`` tells of it; None for a run that was not shipped."""
    told = read_telemetry(run_dir).get("elasticsearch")
    return None if told is None else Shipping.from_plain(told)


def _missing(counts: StreamCounts) -> str:
    ends = (
        (counts.waiting, "still wait in the spool"),
        (counts.dropped, "did not fit into the spool"),
        (counts.dead_lettered, "were refused by Elasticsearch"),
    )
    told = [f"{number} {what}" for number, what in ends if number]
    stored = "an unknown number" if counts.stored is None else counts.stored
    return ", ".join([f"Elasticsearch holds {stored} of {counts.sent} documents", *told])
