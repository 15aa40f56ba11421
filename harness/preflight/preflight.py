"""The preflight of one run: read, judge, and refuse with the remedy, or say how many workers to start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import UsageError
from harness.preflight.judge import Check, judge, refusals, workers_for
from harness.preflight.machine import find_target, read_limits
from harness.preflight.need import Need, need_of
from harness.scenario.model import Scenario


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found, for ``workers`` load processes on this machine."""

    need: Need
    workers: int
    checks: tuple[Check, ...]


def preflight(scenario: Scenario, workers: int | None = None) -> Preflight:
    """Look at this machine for a scenario whose rates are absolute; ``workers`` None: as many as it takes."""
    limits, target = read_limits(scenario.target), find_target(scenario.target)
    need = need_of(scenario, limits.time_wait_seconds)
    count = workers_for(need, limits) if workers is None else workers
    return Preflight(need, count, judge(need, limits, count, target))


def refuse_what_cannot_work(found: Preflight) -> None:
    """Raise UsageError with every remedy where the run would fail of this machine."""
    refused = refusals(found.checks)
    if refused:
        raise UsageError(explained(found.need, refused))


def explained(need: Need, refused: Sequence[Check]) -> str:
    """Say what is short, and the command that mends it."""
    lines = [f"this machine cannot carry {need.streams:,} open requests (estimated: {need.basis})"]
    for check in refused:
        lines.append(f"  {check.subject}: needed {check.needed}; here {check.here}")
        lines.append(f"    remedy: {check.remedy}")
    return "\n".join(lines)
