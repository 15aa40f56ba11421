"""One objective's measurement: which estimate belongs to which metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.measure.attainment import applies, latency_of, meets_all
from harness.measure.histogram import LogHistogram
from harness.measure.latency import lost_gaps, streams_at_once
from harness.measure.quantile import (
    NO_DATA,
    Estimate,
    gap_quantile_estimate,
    quantile_estimate,
    rate_estimate,
    share_estimate,
)
from harness.measure.record import Outcome
from harness.measure.records import Records
from harness.measure.recovery import STEP_SECONDS
from harness.measure.stages import Seconds, Window, seconds_of_stages, stage_windows, strata
from harness.measure.summarize import merged_gaps, offered_records
from harness.measure.summary import Summary
from harness.measure.timings import Mask
from harness.scenario.model import Scenario
from harness.scenario.objective import Objective

SHED_LATENCY_PERCENTILE = 95.0
"""shed_latency has no percentile of its own: P95 of the refused requests, which 72 refusals can bound."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What every objective of a run is measured on."""

    summary: Summary
    records: Records
    good: Mask
    windows: tuple[Window, ...]
    seed: int


def gather(
    summary: Summary, records: Records, objectives: Sequence[Objective], scenario: Scenario
) -> Evidence:
    """Return the evidence: the offered records, and which of them meet every latency objective."""
    offered = offered_records(records, summary.aborted or scenario.loop == "closed")
    names = [stage.name for stage in scenario.stages]
    good = meets_all(offered, objectives, names)
    return Evidence(summary, offered, good, stage_windows(scenario), scenario.seed)


def evaluate(objective: Objective, evidence: Evidence) -> Estimate:
    """Return the objective's measured value in its own unit, its 95 % interval and its sample count."""
    if not evidence.summary.whole.sent:
        return NO_DATA  # what was never sent says nothing about the target, good or bad
    return _ESTIMATORS.get(objective.metric, _latency)(objective, _within(objective, evidence))


def _within(objective: Objective, evidence: Evidence) -> Evidence:
    """Return the evidence of the objective's stages only."""
    if not objective.stages:
        return evidence
    names = [window.name for window in evidence.windows]
    due = applies(evidence.records, objective, names)
    return replace(evidence, records=evidence.records.pick(due), good=evidence.good[due])


def _duration_seconds(objective: Objective, evidence: Evidence) -> float:
    return sum(w.duration_seconds for w in evidence.windows if objective.applies_to(w.name))


def _latency(objective: Objective, evidence: Evidence) -> Estimate:
    records = evidence.records
    by_stage = strata(latency_of(records, objective.metric), records.stage, evidence.windows)
    return quantile_estimate(by_stage, _quantile(objective), evidence.seed)


def _gaps(objective: Objective, evidence: Evidence) -> Estimate:
    stages = [stage for stage in evidence.summary.stages if objective.applies_to(stage.name)]
    gaps = merged_gaps(LogHistogram.from_dict(stage.itl_histogram) for stage in stages)
    at_once = streams_at_once(evidence.records, _duration_seconds(objective, evidence))
    return gap_quantile_estimate(gaps, _quantile(objective), lost_gaps(evidence.records), at_once)


def _shed_latency(objective: Objective, evidence: Evidence) -> Estimate:
    refused = evidence.records.pick(evidence.records.ended_as(Outcome.REJECTED))
    by_stage = strata((refused.end_ns - refused.intended_ns) / 1e9, refused.stage, evidence.windows)
    return quantile_estimate(by_stage, _quantile(objective), evidence.seed)


def _share_of(which: Callable[[Evidence], Mask]) -> Callable[[Objective, Evidence], Estimate]:
    def estimate(objective: Objective, evidence: Evidence) -> Estimate:
        seconds = _seconds(objective, evidence)
        offered = seconds.count(np.ones(len(evidence.records), np.bool_))
        return share_estimate(seconds.count(which(evidence)), offered, seconds, evidence.seed)

    return estimate


def _shed_share(objective: Objective, evidence: Evidence) -> Estimate:
    if not evidence.records.was_sent.any():
        return NO_DATA  # a target that was asked nothing refused nothing
    return _share_of(lambda e: e.records.ended_as(Outcome.REJECTED))(objective, evidence)


def _goodput(objective: Objective, evidence: Evidence) -> Estimate:
    seconds = _seconds(objective, evidence)
    return rate_estimate(seconds.count(evidence.good), len(evidence.records), seconds, evidence.seed)


def _seconds(objective: Objective, evidence: Evidence) -> Seconds:
    chosen = {window.name for window in evidence.windows if objective.applies_to(window.name)}
    records = evidence.records
    return seconds_of_stages(records.intended_seconds, records.stage, evidence.windows, chosen)


def _spike_event(objective: Objective, evidence: Evidence) -> Estimate:
    spike = evidence.summary.spike
    if spike is None or not _sent_since(evidence.records, spike.spike_start_seconds):
        return NO_DATA  # a spike of which nothing was sent has nothing to drain or to recover from
    if objective.metric == "drain_time":
        return _once(spike.drain_seconds, spike.drain_observed_seconds, 0.0)
    return _once(spike.recover_seconds, spike.recover_observed_seconds, STEP_SECONDS)


def _sent_since(records: Records, start_seconds: float) -> bool:
    return bool((records.was_sent & (records.intended_seconds >= start_seconds)).any())


def _once(measured: float, observed_seconds: float, step_seconds: float) -> Estimate:
    """Return an event seen once: no sampling interval, but the resolution, and how long the run watched."""
    if math.isnan(measured):
        return NO_DATA
    low = observed_seconds if math.isinf(measured) else max(0.0, measured - step_seconds)
    return Estimate(measured, low, measured, 1)


def _quantile(objective: Objective) -> float:
    return (SHED_LATENCY_PERCENTILE if objective.percentile is None else objective.percentile) / 100


_ESTIMATORS: dict[str, Callable[[Objective, Evidence], Estimate]] = {
    "itl": _gaps,
    "shed_latency": _shed_latency,
    "error_share": _share_of(lambda e: ~(e.records.ok | e.records.ended_as(Outcome.REJECTED))),
    "shed_share": _shed_share,
    "attainment": _share_of(lambda e: e.good),
    "goodput": _goodput,
    "time_to_recover": _spike_event,
    "drain_time": _spike_event,
}
