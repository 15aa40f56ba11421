"""What one worker says about itself when it ends: ``worker-<k>.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.measure.histogram import LogHistogram
from harness.measure.reception import Reception

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall clock minus monotonic clock, in nanoseconds, at the worker's start and at its end."""

    wall_minus_monotonic_start_ns: int
    wall_minus_monotonic_end_ns: int


@dataclass(frozen=True, slots=True)
class ClockReading:
    """This worker's wall clock against the master's, in nanoseconds.

    ``at_ns`` is when it was read, on the worker's clock; ``offset_ns`` is the worker's minus the master's,
    and the truth lies within ± ``uncertainty_ns`` (half of the round trip's delay).
    """

    at_ns: int
    offset_ns: int
    uncertainty_ns: int


@dataclass(frozen=True, slots=True)
class MasterClock:
    """The comparisons before and after the load; ``end`` is None where the master no longer answered."""

    start: ClockReading
    end: ClockReading | None = None

    @property
    def drift_ns(self) -> int | None:
        """By how much the offset changed over the run; None when it was compared once."""
        return None if self.end is None else self.end.offset_ns - self.start.offset_ns

    @property
    def drift_ppm(self) -> float | None:
        """The same in microseconds per second of the run."""
        if self.end is None or self.end.at_ns <= self.start.at_ns:
            return None
        return (self.end.offset_ns - self.start.offset_ns) / (self.end.at_ns - self.start.at_ns) * 1e6


@dataclass(frozen=True, slots=True)
class Peak:
    """This worker when most of its streams were open: how many, and its memory then and before the load.

    ``proportional_bytes`` counts pages that several processes hold in part; None where it cannot be read.
    """

    in_flight: int
    resident_before_bytes: int
    resident_bytes: int
    proportional_bytes: int | None


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """A worker's counts and health.

    ``start_wall_ns`` is the wall-clock time of the run's zero, on the master's clock. ``master_clock`` is
    None where there was no other clock to compare with. ``planned`` counts the arrivals of its slice,
    ``recorded`` the records that it wrote, ``sent`` those that went out. ``itl`` holds one histogram per
    stage (index = stage; may be shorter when late stages had no gaps). ``spoiled`` names what broke inside
    the worker; any entry makes the run INVALID.
    """

    worker: int
    start_wall_ns: int
    planned: int
    recorded: int
    sent: int
    loop_lag: LogHistogram
    itl: tuple[LogHistogram, ...]
    clock: Clock
    cpu_seconds: float
    elapsed_seconds: float
    peak_rss_bytes: int
    reconnects: int = 0
    spoiled: tuple[str, ...] = field(default=())
    master_clock: MasterClock | None = None
    peak: Peak | None = None
    reception: Reception | None = None

    def write(self, run_dir: Path) -> Path:
        """Write ``worker-<k>.json`` into the run's folder and return its path."""
        path = run_dir / f"worker-{self.worker}.json"
        path.write_text(json.dumps(self.to_dict(), separators=(",", ":")))
        return path

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "schema_version": SCHEMA_VERSION,
            "worker": self.worker,
            "start_wall_ns": self.start_wall_ns,
            "planned": self.planned,
            "recorded": self.recorded,
            "sent": self.sent,
            "loop_lag": self.loop_lag.to_dict(),
            "itl": [histogram.to_dict() for histogram in self.itl],
            "clock": {
                "wall_minus_monotonic_start_ns": self.clock.wall_minus_monotonic_start_ns,
                "wall_minus_monotonic_end_ns": self.clock.wall_minus_monotonic_end_ns,
            },
            "cpu_seconds": self.cpu_seconds,
            "elapsed_seconds": self.elapsed_seconds,
            "peak_rss_bytes": self.peak_rss_bytes,
            "reconnects": self.reconnects,
            "spoiled": list(self.spoiled),
            "master_clock": None if self.master_clock is None else asdict(self.master_clock),
            "peak": None if self.peak is None else asdict(self.peak),
            "reception": None if self.reception is None else asdict(self.reception),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> WorkerReport:
        """Read ``to_dict``'s form. Raise ValueError for another schema version, KeyError for a gap."""
        fields = dict(data)
        if fields.pop("schema_version") != SCHEMA_VERSION:
            raise ValueError(
                f"worker report has schema version {data['schema_version']}, not {SCHEMA_VERSION}"
            )
        fields["loop_lag"] = LogHistogram.from_dict(data["loop_lag"])
        fields["itl"] = tuple(map(LogHistogram.from_dict, data["itl"]))
        fields["clock"] = Clock(**data["clock"])
        fields["spoiled"] = tuple(data["spoiled"])
        fields["master_clock"] = _read_master_clock(data.get("master_clock"))
        fields["reception"] = None if data.get("reception") is None else Reception(**data["reception"])
        fields["peak"] = None if data.get("peak") is None else Peak(**data["peak"])
        return cls(**fields)


def _read_master_clock(data: dict[str, Any] | None) -> MasterClock | None:
    if data is None:
        return None
    end = None if data["end"] is None else ClockReading(**data["end"])
    return MasterClock(ClockReading(**data["start"]), end)


def read_worker_reports(run_dir: Path) -> tuple[WorkerReport, ...]:
    """Read every ``worker-<k>.json`` of a run's folder, by worker number.

    A worker that was killed leaves no report, and one killed while writing leaves half a file: both are
    absent here, and show as lost records.
    """
    reports = []
    for path in sorted(run_dir.glob("worker-*.json")):
        try:
            data = json.loads(path.read_text())
        except json.JSONDecodeError:
            continue
        reports.append(WorkerReport.from_dict(data))
    return tuple(sorted(reports, key=lambda report: report.worker))
