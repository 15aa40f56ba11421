"""The summary of one stage, or of the whole run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.measure.attainment import latency_of
from harness.measure.histogram import LogHistogram
from harness.measure.latency import summarize_gaps, summarize_latency
from harness.measure.record import OUTCOMES, Outcome
from harness.measure.records import Records
from harness.measure.stages import Window, strata
from harness.measure.summary import LatencySummary, StageSummary
from harness.measure.timings import MISSING, Mask

LATENCIES = ("ttft", "ttft_service", "e2e", "tpot", "schedule_delay")


@dataclass(frozen=True, slots=True)
class WindowThroughput:
    """What happened within a time window, whichever stage the requests belong to."""

    completed_rate: float
    output_tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the intervals need: the scenario's stages, and the seed of the bootstrap."""

    windows: tuple[Window, ...]
    seed: int


def summarize_stage(
    window: Window,
    records: Records,
    good: Mask,
    gaps: LogHistogram,
    throughput: WindowThroughput,
    sampling: Sampling,
) -> StageSummary:
    """Summarize the requests due in the window; ``good`` marks those that meet every latency objective."""
    offered, duration = len(records), window.duration_seconds
    counts = count_outcomes(records)
    shed = counts[Outcome.REJECTED]
    errors = offered - counts[Outcome.OK] - shed
    return StageSummary(
        name=window.name,
        start_seconds=window.start_seconds,
        end_seconds=window.end_seconds,
        offered=offered,
        sent=int(records.was_sent.sum()),
        completed=int(completed(records).sum()),
        ok=counts[Outcome.OK],
        outcomes={str(outcome): count for outcome, count in counts.items()},
        offered_rate=offered / duration,
        completed_rate=throughput.completed_rate,
        goodput=int(good.sum()) / duration,
        attainment=_share(int(good.sum()), offered),
        shed_share=_share(shed, offered),
        error_share=_share(errors, offered),
        input_tokens=int(records.input_tokens.sum(dtype=np.int64)),
        output_tokens=int(records.output_tokens.sum(dtype=np.int64)),
        output_tokens_per_second=throughput.output_tokens_per_second,
        latencies={name: _latency(records, name, sampling) for name in LATENCIES},
        itl=summarize_gaps(gaps, records, duration),
        itl_histogram=gaps.to_dict(),
    )


def _latency(records: Records, name: str, sampling: Sampling) -> LatencySummary:
    values = latency_of(records, name)
    return summarize_latency(strata(values, records.stage, sampling.windows), sampling.seed)


def count_outcomes(records: Records) -> dict[Outcome, int]:
    """Return the number of records of every outcome, zeros included."""
    counts = np.bincount(records.outcome, minlength=len(OUTCOMES))
    return {outcome: int(count) for outcome, count in zip(OUTCOMES, counts, strict=True)}


def completed(records: Records) -> Mask:
    """Return which requests were sent and ended by themselves, well or not."""
    return records.was_sent & ~records.ended_as(Outcome.CANCELLED, Outcome.DROPPED)


def window_throughput(window: Window, records: Records) -> WindowThroughput:
    """Return the rate of completed requests and of output tokens within the window.

    A request's tokens are spread evenly from its first token to its last: a long answer that began in the
    window and ended after it brings its share.
    """
    start_ns, end_ns = int(window.start_seconds * 1e9), int(window.end_seconds * 1e9)
    ended = (records.end_ns >= start_ns) & (records.end_ns < end_ns) & completed(records)
    first, last = records.first_token_ns, records.last_token_ns
    inside = np.minimum(last, end_ns) - np.maximum(first, start_ns)
    instant = (first >= start_ns) & (first < end_ns)
    share = np.where(last > first, np.maximum(inside, 0) / np.maximum(last - first, 1), instant)
    tokens = float((records.output_tokens * share)[first != MISSING].sum())
    return WindowThroughput(int(ended.sum()) / window.duration_seconds, tokens / window.duration_seconds)


def _share(count: int, of: int) -> float:
    return count / of if of else float("nan")
