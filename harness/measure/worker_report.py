"""What one worker says about itself when it ends: ``worker-<k>.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.measure.histogram import LogHistogram

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall clock minus monotonic clock, in nanoseconds, at the worker's start and at its end."""

    wall_minus_monotonic_start_ns: int
    wall_minus_monotonic_end_ns: int


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """A worker's counts and health.

    ``start_wall_ns`` is the wall-clock time of the run's zero. ``planned`` counts the arrivals of its slice,
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
        return cls(**fields)


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
