"""What holding many streams open took: how many were open, how soon all were, and the memory of each.

Three parts pay for a stream: the client's processes, the kernel, and the target where it tells its memory.
Each is a level at the peak less the level before the load, over the streams that were open then.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.measure.records import Records
from harness.measure.summary import OpenStreams, WorkerPeak
from harness.measure.timings import MISSING
from harness.measure.worker_report import Peak, WorkerReport

FEWEST = 1_000
"""Below so many streams, what else goes on in a machine weighs more than they do."""

FILE = "machine.json"


@dataclass(frozen=True, slots=True)
class MachineLevels:
    """The master's machine, and the target, at one instant. None: it is not told.

    ``tcp_sockets`` counts both ends of a connection that does not leave the machine. ``kernel_bytes`` is the
    slab and the sockets' buffers. ``target_bytes`` is the resident memory of the target's processes together.
    """

    at_seconds: float
    tcp_sockets: int | None = None
    kernel_bytes: int | None = None
    available_bytes: int | None = None
    target_open: int | None = None
    target_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class MachineReport:
    """The levels before the load, and when most was open."""

    before: MachineLevels
    at_peak: MachineLevels

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            name: {key: getattr(levels, key) for key in MachineLevels.__dataclass_fields__}
            for name, levels in (("before", self.before), ("at_peak", self.at_peak))
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MachineReport:
        """Read ``to_dict``'s form."""
        return cls(MachineLevels(**data["before"]), MachineLevels(**data["at_peak"]))


def read_machine_report(run_dir: Path) -> MachineReport | None:
    """Read ``machine.json`` of a run's folder; None where there is none."""
    try:
        return MachineReport.from_dict(json.loads((run_dir / FILE).read_text()))
    except FileNotFoundError:
        return None


def open_streams(
    records: Records, reports: Sequence[WorkerReport], machine: MachineReport | None
) -> OpenStreams | None:
    """Return what the run's streams took; None where no worker watched its own."""
    peaks = tuple(_worker_peak(r.worker, r.peak) for r in reports if r.peak is not None)
    if not peaks:
        return None
    peak = sum(worker.in_flight for worker in peaks)
    many = peak >= FEWEST
    resident = sum(worker.resident_bytes - worker.resident_before_bytes for worker in peaks)
    before, at_peak = (machine.before, machine.at_peak) if machine is not None else (None, None)
    return OpenStreams(
        peak=peak,
        workers=peaks,
        all_open_seconds=all_open_seconds(records),
        client_bytes_per_stream=resident / peak if many else math.nan,
        kernel_bytes_per_stream=_grown(before, at_peak, "kernel_bytes") / peak if many else math.nan,
        target_bytes_per_stream=_grown(before, at_peak, "target_bytes") / peak if many else math.nan,
        target_open=None if at_peak is None else at_peak.target_open,
        taken_bytes=-_grown(before, at_peak, "available_bytes") if many else math.nan,
    )


def all_open_seconds(records: Records) -> float:
    """Return the time from the first connect to the last first token; nan where not all were open at once.

    All were when the last first token came before any answer ended. A request without a first token was not
    open, and then there is no such time.
    """
    if not len(records) or bool((records.first_token_ns == MISSING).any()):
        return math.nan
    last_ns = int(records.first_token_ns.max())
    if last_ns >= int(records.end_ns.min()):
        return math.nan
    return (last_ns - int(records.sent_ns.min())) / 1e9


def _worker_peak(worker: int, peak: Peak) -> WorkerPeak:
    return WorkerPeak(
        worker=worker,
        in_flight=peak.in_flight,
        resident_before_bytes=peak.resident_before_bytes,
        resident_bytes=peak.resident_bytes,
        proportional_bytes=peak.proportional_bytes,
    )


def _grown(before: MachineLevels | None, after: MachineLevels | None, name: str) -> float:
    first, last = getattr(before, name, None), getattr(after, name, None)
    return math.nan if first is None or last is None else float(last - first)
