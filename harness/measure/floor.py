"""The floor: what the harness itself adds on this machine, and which measured values are too near to it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.measure import codec
from harness.measure.summary import LatencySummary, StageSummary

SCHEMA_VERSION = 1
NEAR = 3.0
"""A value below this many times the floor says as much about the harness as about the target."""

_P50 = ("p50",)
_UPPER = ("p90", "p95", "p99", "p999")
MARKED_LATENCIES = ("ttft", "ttft_service", "itl", "schedule_delay")


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 99th percentile of what is added, in seconds."""

    p50_seconds: float
    p99_seconds: float


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late one worker sent at a rate: send − due over ``planned`` arrivals; +inf counts the unsent."""

    requests_per_second: float
    planned: int
    p50_seconds: float
    p99_seconds: float
    p999_seconds: float


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that was measured to go well. ``at_least``: what ended there was not the harness."""

    value: float
    at_least: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """What was calibrated; a floor holds for nothing else."""

    cpu: str
    cores: int
    system: str
    python: str
    tidegate: str


@dataclass(frozen=True, slots=True)
class Floor:
    """What one worker process adds on ``machine``, measured against a target whose truth is known.

    ``calibrated_at`` is UTC, ISO 8601. ``quick``: from one pass, without confirming runs. ``send_lateness``
    has one entry per rate, ascending. ``added_ttft`` is the client's TTFT − the target's own, per request,
    and ``added_gap`` the client's percentile of the gaps between tokens − the target's own.
    ``golden_pace_p99_seconds`` is how far the target itself was from its timetable.
    """

    calibrated_at: str
    quick: bool
    machine: Machine
    send_lateness: tuple[Lateness, ...]
    added_ttft: Spread
    added_gap: Spread
    clean_requests_per_second: Ceiling
    clean_tokens_per_second: Ceiling
    connections: Ceiling
    golden_pace_p99_seconds: float
    schema_version: int = SCHEMA_VERSION

    @property
    def date(self) -> str:
        """The day of the calibration, ``2025-11-24``."""
        return self.calibrated_at[:10]

    def lateness_at(self, requests_per_second: float) -> Lateness:
        """Return the entry whose rate is nearest on a logarithmic scale."""
        wanted = math.log(max(requests_per_second, 1e-9))
        return min(self.send_lateness, key=lambda at: abs(math.log(at.requests_per_second) - wanted))

    def to_json(self) -> str:
        """Return the text of the floor's file."""
        return codec.to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Floor:
        """Read ``to_json``'s text. Raise UsageError when it is not one, or of another schema version."""
        return codec.from_json(cls, text, SCHEMA_VERSION)


def floor_in(environment: Mapping[str, Any]) -> Floor | None:
    """Return the floor that a run's environment holds; None where the machine was not calibrated."""
    stored = environment.get("calibration_floor")
    if not isinstance(stored, dict) or stored.get("schema_version") != SCHEMA_VERSION:
        return None
    try:
        found = codec.from_plain(Floor, stored)
    except (KeyError, TypeError, ValueError):
        return None
    return found if isinstance(found, Floor) else None


def floor_seconds(floor: Floor, latency: str, percentile: str, requests_per_second: float) -> float:
    """Return what the harness adds to one percentile (``p50`` … ``p999``); nan where it was not measured.

    ``requests_per_second`` is what one worker sends. Above the median the floor's p99 stands for all.
    """
    if latency == "schedule_delay":
        at = floor.lateness_at(requests_per_second)
        known = {"p50": at.p50_seconds, "p999": at.p999_seconds}
        return known.get(percentile, at.p99_seconds)
    spread = {"ttft": floor.added_ttft, "ttft_service": floor.added_ttft, "itl": floor.added_gap}.get(latency)
    if spread is None:
        return math.nan
    return spread.p50_seconds if percentile in _P50 else spread.p99_seconds


def is_near(value: float, floor_of_it: float) -> bool:
    """Whether a measured value is below ``NEAR`` times its floor; never where one of both is unknown."""
    return value < NEAR * floor_of_it  # nan compares as false


def near_floor(floor: Floor | None, stages: Sequence[StageSummary], workers: int) -> tuple[str, ...]:
    """Name the measured values that are near the floor: ``whole.ttft.p50``, ``sale.itl.p99``."""
    if floor is None:
        return ()
    return tuple(name for stage in stages for name in _near_in_stage(floor, stage, workers))


def _near_in_stage(floor: Floor, stage: StageSummary, workers: int) -> Iterator[str]:
    rate = stage.offered_rate / max(workers, 1)
    for latency in MARKED_LATENCIES:
        summary = latency_named(stage, latency)
        for percentile in (*_P50, *_UPPER):
            value = math.nan if summary is None else getattr(summary, percentile)
            if is_near(value, floor_seconds(floor, latency, percentile, rate)):
                yield f"{stage.name}.{latency}.{percentile}"


def latency_named(stage: StageSummary, latency: str) -> LatencySummary | None:
    """Return a stage's latency by its name."""
    return stage.itl if latency == "itl" else stage.latencies.get(latency)
