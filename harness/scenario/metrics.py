"""The metrics an objective may bound: each one's unit, and which way is good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from harness.scenario import units
from harness.scenario.units import Rate

Metric = Literal[
    "ttft",
    "ttft_service",
    "e2e",
    "tpot",
    "itl",
    "schedule_delay",
    "error_share",
    "shed_share",
    "attainment",
    "goodput",
    "time_to_recover",
    "drain_time",
    "shed_latency",
]
METRIC_NAMES: tuple[Metric, ...] = get_args(Metric)
LATENCY_METRICS: tuple[Metric, ...] = ("ttft", "ttft_service", "e2e", "tpot", "itl", "schedule_delay")
SPIKE_METRICS: tuple[Metric, ...] = ("time_to_recover", "drain_time")

Op = Literal["at_most", "at_least"]
Unit = Literal["duration", "share", "rate"]


@dataclass(frozen=True, slots=True)
class MetricRule:
    """The unit of a metric's threshold and the comparisons that make sense for it."""

    unit: Unit
    ops: tuple[Op, ...]


_DURATION_AT_MOST = MetricRule("duration", ("at_most",))
RULES: dict[str, MetricRule] = {
    **dict.fromkeys((*LATENCY_METRICS, *SPIKE_METRICS, "shed_latency"), _DURATION_AT_MOST),
    "error_share": MetricRule("share", ("at_most",)),
    # At least: a test may demand that an overloaded target refuses work instead of queueing it.
    "shed_share": MetricRule("share", ("at_most", "at_least")),
    "attainment": MetricRule("share", ("at_least",)),
    "goodput": MetricRule("rate", ("at_least",)),
}


def parse_threshold(metric: str, given: object, unit_required: bool = True) -> float | Rate:
    """Return seconds, a share (0 to 1) or a Rate, by the metric. Raises ValueError: what is allowed."""
    unit = RULES[metric].unit
    if unit == "share":
        return units.parse_share(given)
    bare = float(given) if isinstance(given, int | float) and not isinstance(given, bool) else None
    if bare is not None and not unit_required:
        return bare if unit == "duration" else Rate(bare)
    return units.parse_duration(given) if unit == "duration" else units.parse_rate(given)


def write_threshold(metric: str, threshold: str | float) -> str | float:
    """Give a bare number its unit, so that a file may hold it. Shares stay bare."""
    if isinstance(threshold, str) or RULES[metric].unit == "share":
        return threshold
    return f"{units.plain_number(threshold)}{'s' if RULES[metric].unit == 'duration' else '/s'}"


def slo_problem(
    metric: Metric,
    percentile: float | None,
    at_most: object,
    at_least: object,
    stages: Sequence[str] | None,
    unit_required: bool,
) -> str | None:
    """Return what would have to be different for the objective to be measurable, or None when it is."""
    rule = RULES[metric]
    given = {op: value for op, value in (("at_most", at_most), ("at_least", at_least)) if value is not None}
    if len(given) != 1:
        return f"exactly one threshold for {metric}: {' or '.join(rule.ops)}"
    if (percentile is not None) != (metric in LATENCY_METRICS):
        wanted = "a percentile, such as percentile: 99" if metric in LATENCY_METRICS else "no percentile"
        return f"{wanted} for {metric}"
    if metric in SPIKE_METRICS and stages is not None:
        return f"no stages for {metric}: it is measured once, over the whole run"
    return _threshold_problem(metric, given, unit_required)


def _threshold_problem(metric: Metric, given: dict[str, object], unit_required: bool) -> str | None:
    ((op, value),) = given.items()
    if op not in RULES[metric].ops:
        return f"{' or '.join(RULES[metric].ops)} for {metric}"
    try:
        parsed = parse_threshold(metric, value, unit_required)
    except ValueError as error:
        return f"for {op} of {metric}: {error}"
    amount = parsed.value if isinstance(parsed, Rate) else parsed
    if amount < 0 or (amount == 0 and RULES[metric].unit != "share"):
        return f"for {op} of {metric}: a threshold above zero"
    return None
