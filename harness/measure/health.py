"""How well the generator itself did: the ground of the INVALID rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from harness.measure.histogram import LogHistogram
from harness.measure.quantile import percentile
from harness.measure.reception import Reception
from harness.measure.record import Outcome
from harness.measure.records import Records
from harness.measure.summary import GeneratorHealth, WorkerClock
from harness.measure.worker_report import MasterClock, WorkerReport


def generator_health(
    records: Records,
    reports: Sequence[WorkerReport],
    planned: int | None,
    workers_lost: int,
    problems: Sequence[str] = (),
) -> GeneratorHealth:
    """Join the records and the workers' reports.

    ``planned`` is the plan's length; None: the larger of what the reports planned and the highest seq + 1.
    ``workers_lost`` is what the runner noticed; a worker with records and no report is lost as well.
    ``problems`` is what it found wrong with the workers' files.
    """
    delays = np.sort(records.schedule_delay_seconds[records.was_sent])
    arrivals = _planned(records, reports) if planned is None else planned
    distinct = int(np.count_nonzero(np.diff(records.seq))) + 1 if len(records) else 0  # sorted by seq
    dropped = int(records.ended_as(Outcome.DROPPED).sum())
    silent = set(np.unique(records.worker).tolist()) - {report.worker for report in reports}
    return GeneratorHealth(
        planned=arrivals,
        sent=len(delays),
        schedule_delay_p50_seconds=percentile(delays, 0.5),
        schedule_delay_p99_seconds=percentile(delays, 0.99),
        schedule_delay_max_seconds=percentile(delays, 1.0),
        loop_lag_p50_seconds=_worst(reports, lambda lag: lag.quantile(0.5)),
        loop_lag_p99_seconds=_worst(reports, lambda lag: lag.quantile(0.99)),
        loop_lag_max_seconds=_worst(reports, lambda lag: lag.max_seconds),
        dropped=dropped,
        dropped_share=dropped / arrivals if arrivals else 0.0,
        lost_records=max(0, arrivals - distinct),
        duplicate_records=len(records) - distinct,
        workers=len(reports),
        workers_lost=max(workers_lost, len(silent)),
        clock_jump_seconds=max(map(_clock_jump_seconds, reports), default=float("nan")),
        reconnects=sum(report.reconnects for report in reports),
        cpu_share=tuple(report.cpu_seconds / max(report.elapsed_seconds, 1e-9) for report in reports),
        peak_rss_bytes=tuple(report.peak_rss_bytes for report in reports),
        spoiled=(*problems, *_spoiled(reports), *(f"unreadable {name}" for name in records.unreadable)),
        reception=_reception(reports),
        clocks=tuple(_worker_clock(r.worker, r.master_clock) for r in reports if r.master_clock is not None),
    )


def _planned(records: Records, reports: Sequence[WorkerReport]) -> int:
    highest = int(records.seq.max()) + 1 if len(records) else 0
    return max(highest, sum(report.planned for report in reports))


def _worst(reports: Sequence[WorkerReport], statistic: Callable[[LogHistogram], float]) -> float:
    values = [statistic(report.loop_lag) for report in reports if report.loop_lag.count]
    return max(values, default=float("nan"))


def _clock_jump_seconds(report: WorkerReport) -> float:
    clock = report.clock
    return abs(clock.wall_minus_monotonic_end_ns - clock.wall_minus_monotonic_start_ns) / 1e9


def _worker_clock(worker: int, clock: MasterClock) -> WorkerClock:
    drift_ns, drift_ppm = clock.drift_ns, clock.drift_ppm
    readings = [clock.start, *([clock.end] if clock.end is not None else [])]
    return WorkerClock(
        worker=worker,
        offset_seconds=clock.start.offset_ns / 1e9,
        uncertainty_seconds=max(reading.uncertainty_ns for reading in readings) / 1e9,
        drift_seconds=math.nan if drift_ns is None else drift_ns / 1e9,
        drift_ppm=math.nan if drift_ppm is None else drift_ppm,
    )


def _reception(reports: Iterable[WorkerReport]) -> Reception | None:
    known = [report.reception for report in reports if report.reception is not None]
    return sum(known, Reception()) if known else None


def _spoiled(reports: Iterable[WorkerReport]) -> tuple[str, ...]:
    return tuple(f"worker {report.worker}: {what}" for report in reports for what in report.spoiled)
