"""How each rate of a run went, from what the harness recorded and what the golden target knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.calibrate.golden.truth import Truth
from harness.measure.floor import Lateness, Spread
from harness.measure.histogram import RELATIVE_ERROR, LogHistogram
from harness.measure.quantile import percentile
from harness.measure.records import Records
from harness.measure.summary import Summary

LATENESS_LIMIT_SECONDS = 0.005
"""The p99 of send − due up to which a run without objectives is valid."""
TARGET_LATE_SECONDS = 0.02
"""A first token later than this after the timetable: the target was at its end, not the harness."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One stage of a ladder. ``achieved`` is in the ladder's unit: requests/s sent, or tokens/s received.

    ``clean``: the harness sent everything in time. ``target_held``: so did the target.
    """

    offered_per_second: float
    achieved: float
    lateness: Lateness
    clean: bool
    target_held: bool


def rungs_of(summary: Summary, records: Records, truth: Truth, *, tokens: bool) -> tuple[Rung, ...]:
    """Judge every stage of a run; ``tokens``: its unit is tokens per second."""
    rungs = []
    for index, stage in enumerate(summary.stages):
        mine = records.for_stage(index)
        lateness = lateness_of(mine, stage.offered_rate)
        sent_rate = stage.sent / (stage.end_seconds - stage.start_seconds)
        achieved = stage.output_tokens_per_second if tokens else sent_rate
        clean = lateness.p99_seconds <= LATENESS_LIMIT_SECONDS and stage.sent == stage.offered
        rungs.append(Rung(stage.offered_rate, achieved, lateness, clean, target_held(mine, truth)))
    return tuple(rungs)


def lateness_of(records: Records, requests_per_second: float) -> Lateness:
    """Return send − due over all of the records; those never sent are +inf."""
    delays = np.sort(records.schedule_delay_seconds)
    quantiles = (percentile(delays, q) for q in (0.5, 0.99, 0.999))
    return Lateness(requests_per_second, len(delays), *quantiles)


def target_held(records: Records, truth: Truth) -> bool:
    """Whether the target wrote (nearly all) first tokens of these requests when its timetable said so."""
    rows = truth.rows_of(records.trace_id.to_pylist())
    rows = rows[rows >= 0]
    written = truth.first_write_ns[rows]
    late_seconds = np.where(written >= 0, (written - truth.first_due_ns[rows]) / 1e9, np.inf)
    return percentile(np.sort(late_seconds), 0.99) <= TARGET_LATE_SECONDS


@dataclass(frozen=True, slots=True)
class LadderTop:
    """Where a ladder ended: what was achieved there, at which rate, and the next rate, which was too much.

    ``value`` is 0 when no rung was good. ``at_least``: it was not the harness that ended there.
    """

    value: float
    at_least: bool
    offered_per_second: float
    next_per_second: float


def top_of(rungs: Sequence[Rung]) -> LadderTop:
    """Return the last rung that was clean and that the target held.

    One that was not, below one that was, had bad luck: somebody else took the processor.
    """
    last = max((at for at, rung in enumerate(rungs) if rung.clean and rung.target_held), default=-1)
    good, rest = rungs[: last + 1], rungs[last + 1 :]
    offered = good[-1].offered_per_second if good else 0.0
    return LadderTop(
        value=good[-1].achieved if good else 0.0,
        at_least=not rest or not rest[0].target_held,  # a target that stands still holds the sending up too
        offered_per_second=offered,
        next_per_second=rest[0].offered_per_second if rest else offered,
    )


def most_open(records: Records) -> int:
    """Return how many of the requests that ended well were open at once, at most."""
    ok = records.ok
    instants = np.concatenate([records.end_ns[ok], records.sent_ns[ok]])
    changes = np.repeat([-1, 1], int(ok.sum()))
    # An end before a send of the same instant: a stable sort keeps the ends first.
    return int(np.cumsum(changes[np.argsort(instants, kind="stable")]).max(initial=0))


def added_ttft(records: Records, truth: Truth) -> Spread:
    """Return the client's TTFT (from due) − the target's own, over the requests that both know."""
    rows = truth.rows_of(records.trace_id.to_pylist())
    both = (rows >= 0) & records.ok
    added = np.sort(records.ttft_seconds[both] - truth.ttft_seconds[rows[both]])
    return Spread(percentile(added, 0.5), percentile(added, 0.99))


def added_gap(seen: LogHistogram, true: LogHistogram) -> Spread:
    """Return by how much the client's gap percentiles exceed the true ones.

    Never less than what the histograms can tell: a bucket's width at that value.
    """

    def added(q: float) -> float:
        resolution = 2 * RELATIVE_ERROR * true.quantile(q)
        return max(seen.quantile(q) - true.quantile(q), resolution)

    return Spread(added(0.5), added(0.99)) if true.count else Spread(math.nan, math.nan)
