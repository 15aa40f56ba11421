"""What became of every entry of a spool, by stream: the notes that the cursor carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class StreamTally:
    """Documents of one stream.

    ``stored`` were created by a try whose answer came, ``duplicates`` were there already: an earlier try had
    stored them and its answer was lost. ``dead_lettered`` were refused for good.
    """

    stored: int = 0
    duplicates: int = 0
    dead_lettered: int = 0

    def __add__(self, other: StreamTally) -> StreamTally:
        return StreamTally(
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            self.dead_lettered + other.dead_lettered,
        )


@dataclass(frozen=True, slots=True)
class Ledger:
    """All tallies, the floors (see ``rollover``), the dead letters' size, and what was lost on the way.

    ``damaged_bytes`` of the spool were no entries. ``trouble`` is why the shipper gave up; "": it did not.
    """

    streams: Mapping[str, StreamTally] = field(default_factory=dict)
    floors: Mapping[str, str] = field(default_factory=dict)
    dead_letter_bytes: int = 0
    damaged_bytes: int = 0
    trouble: str = ""

    def plus(self, tallies: Mapping[str, StreamTally]) -> Ledger:
        """Return the ledger with a batch's tallies added."""
        streams = dict(self.streams)
        for stream, tally in tallies.items():
            streams[stream] = streams.get(stream, StreamTally()) + tally
        return replace(self, streams=streams)

    def to_notes(self) -> dict[str, Any]:
        """Return the cursor's notes."""
        return asdict(self)

    @classmethod
    def from_notes(cls, notes: Mapping[str, Any]) -> Ledger:
        """Read ``to_notes``'s form; a spool that nobody has read yet has none."""
        if not notes:
            return cls()
        streams = {stream: StreamTally(**tally) for stream, tally in notes["streams"].items()}
        return cls(**{**notes, "streams": streams})


def total(tallies: Iterable[StreamTally]) -> StreamTally:
    """Return the sum."""
    return sum(tallies, StreamTally())
