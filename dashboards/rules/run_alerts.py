"""Alerts while a test goes on: an objective that is missed now, and a generator that spoils the run."""

from __future__ import annotations

from dashboards.rules.document import Alert, Group
from dashboards.rules.runs import INTERVAL, RUN_LABELS, WINDOW

_TARGET = (
    "max by (objective, run)"
    " (tidegate_objective_target_share * on (job, instance) group_left (run) tidegate_run_info)"
)


def run_alert_groups() -> tuple[Group, ...]:
    """Return the alerts of every run, whatever its objectives: the generator tells them all."""
    missed = (
        f"tidegate:objective_bad:ratio{WINDOW}"
        f" > on (objective, run) group_left () (1.000001 - {_TARGET})"  # the dust of 1 − 0.99
    )
    return (Group("tidegate-run-alerts", INTERVAL, [_missed(missed), _spoiled(), _silent()]),)


def _missed(expr: str) -> Alert:
    return Alert(
        "TidegateObjectiveMissed",
        expr,
        "10s",
        {"severity": "test"},
        "{{ $labels.run }} misses {{ $labels.objective }}",
        "{{ $value | humanizePercentage }} of what was offered in the last half minute missed the objective "
        "{{ $labels.objective }}. The verdict is over the whole run and may still be PASS.",
    )


def _spoiled() -> Alert:
    return Alert(
        "TidegateRunSpoiled",
        "tidegate:valid:bool == 0",
        "0s",
        {"severity": "test"},
        "{{ $labels.run }} will be INVALID",
        "The generator was late, dropped arrivals or lost records beyond the scenario's limits: "
        "stop the run, give it more workers or a quieter machine.",
    )


def _silent() -> Alert:
    offered, ended = f"tidegate:arrivals:rate{WINDOW}", f"tidegate:completed:rate{WINDOW}"
    return Alert(
        "TidegateTargetSilent",
        f"({offered} > 0) unless on ({RUN_LABELS}) ({ended} > 0)",
        "15s",
        {"severity": "test"},
        "no request of {{ $labels.run }} ends",
        "Requests fall due and none has ended for half a minute: the target hangs.",
    )
