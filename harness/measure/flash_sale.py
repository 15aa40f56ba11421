"""The results of a flash sale: first breach, peak backlog, shed share, drain time, time to recover."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.measure.attainment import applies, meets
from harness.measure.backlog import build_backlog
from harness.measure.record import Outcome
from harness.measure.records import Records
from harness.measure.recovery import SlidingAttainment, observed_seconds
from harness.measure.spike import SpikeTimes
from harness.measure.summary import FlashSale
from harness.measure.timings import Mask
from harness.scenario.objective import Objective


def flash_sale(
    records: Records,
    good: Mask,
    objectives: Sequence[Objective],
    stage_names: Sequence[str],
    times: SpikeTimes,
) -> FlashSale:
    """Return the spike's results.

    - time to first breach: from the spike's start to the start of the first second (by due time) in which the
      share of requests within a latency objective's threshold is below its percentile, or the target refuses
      a request; +inf: never.
    - backlog: requests due and not ended. The peak is from the spike's start on.
    - drain: from the spike's end until the backlog is not above ``baseline_backlog``, which the calm stage
      keeps to for 95 % of its time.
    - recover: from the spike's end until attainment is back at ``baseline_attainment``; see ``recovery``.
    - shed share: refused ÷ offered over the requests due from the spike's start to its end, and at least
      over those of the stage that is named the spike.
    """
    backlog = build_backlog(records)
    peak, peak_at = backlog.peak_from(times.start_seconds)
    usual = backlog.usual_in(times.baseline.start_seconds, times.baseline.end_seconds)
    sliding = SlidingAttainment(records.intended_seconds, good)
    level = sliding.baseline_level(times.baseline)
    last_event = float(records.end_seconds.max()) if len(records) else 0.0
    return FlashSale(
        spike_start_seconds=times.start_seconds,
        spike_end_seconds=times.end_seconds,
        time_to_first_breach_seconds=_first_breach(records, objectives, stage_names, times.start_seconds),
        peak_backlog=peak,
        peak_backlog_at_seconds=peak_at,
        baseline_backlog=usual,
        shed_share=_shed_share(records, times),
        drain_seconds=backlog.first_at_most(usual, times.end_seconds) - times.end_seconds,
        drain_observed_seconds=max(0.0, last_event - times.end_seconds),
        recover_seconds=sliding.back_after(level, times.end_seconds, times.load_end_seconds),
        recover_observed_seconds=observed_seconds(times.end_seconds, times.load_end_seconds),
        baseline_attainment=level,
    )


def _shed_share(records: Records, times: SpikeTimes) -> float:
    due = records.intended_seconds
    in_spike = (due >= times.start_seconds) & (due < max(times.end_seconds, times.named_end_seconds))
    if not in_spike.any():
        return math.nan
    return float(records.ended_as(Outcome.REJECTED)[in_spike].mean())


def _first_breach(
    records: Records, objectives: Sequence[Objective], stage_names: Sequence[str], start_seconds: float
) -> float:
    since = records.intended_seconds - start_seconds
    during = since >= 0
    second = np.floor(since[during]).astype(np.int64)
    breached = [second[records.ended_as(Outcome.REJECTED)[during]]]
    for objective in objectives:
        if objective.is_latency and objective.percentile is not None:
            bound = applies(records, objective, stage_names)[during]
            within = meets(records, objective)[during]
            breached.append(_breached_seconds(second[bound], within[bound], objective.percentile / 100))
    seconds = np.concatenate(breached)
    return float(seconds.min()) if len(seconds) else math.inf


def _breached_seconds(second: NDArray[np.int64], within: Mask, share: float) -> NDArray[np.intp]:
    offered = np.bincount(second)
    met = np.bincount(second, within)
    return np.flatnonzero((offered > 0) & (met < share * offered - 1e-9))
