"""From records and worker reports to the summary, in one pass that fits on one screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.measure.attainment import meets_all
from harness.measure.flash_sale import flash_sale
from harness.measure.floor import floor_in, near_floor
from harness.measure.health import generator_health
from harness.measure.heatmap import build_heatmap
from harness.measure.histogram import LogHistogram
from harness.measure.open_streams import MachineReport, open_streams
from harness.measure.reconcile import ServerCounts, reconcile
from harness.measure.record import Outcome
from harness.measure.records import Records
from harness.measure.series import build_series
from harness.measure.spike import spike_times
from harness.measure.stage_summary import Sampling, summarize_stage, window_throughput
from harness.measure.stages import stage_windows, whole_window
from harness.measure.summary import Capacity, FlashSale, StageSummary, Summary
from harness.measure.timings import Mask
from harness.measure.worker_report import WorkerReport
from harness.scenario.model import Scenario
from harness.scenario.objective import Objective


def summarize(
    scenario: Scenario,
    records: Records,
    worker_reports: Sequence[WorkerReport],
    objectives: Sequence[Objective],
    environment: Mapping[str, Any],
    server_counts: ServerCounts | None = None,
    *,
    run_id: str = "",
    planned: int | None = None,
    workers_lost: int = 0,
    capacity: Capacity | None = None,
    aborted: bool = False,
    problems: Sequence[str] = (),
    machine: MachineReport | None = None,
) -> Summary:
    """Return the run's summary.

    ``scenario`` and ``objectives`` hold absolute rates only. ``planned`` is the plan's length (None: guessed
    from the reports and the highest seq). In an aborted run cancelled requests are nobody's failure and are
    left out, and so are those that a closed loop's users left open at its end; in any other run they are
    failures. ``problems`` says what else the run's driver found missing.
    """
    offered = offered_records(records, aborted or scenario.loop == "closed")
    windows = stage_windows(scenario)
    load = whole_window(windows)
    good = meets_all(offered, objectives, [window.name for window in windows])
    series = build_series(offered, good, load.duration_seconds)
    whole = _whole(scenario, offered, good, worker_reports)
    stages = _stages(scenario, offered, good, worker_reports)
    return Summary(
        run_id=run_id or str(environment.get("run_id", "")),
        scenario=scenario.name,
        whole=whole,
        stages=stages,
        generator=generator_health(records, worker_reports, planned, workers_lost, problems),
        series=series,
        heatmap=build_heatmap(offered, len(series.t)),
        spike=_spike(scenario, offered, good, objectives),
        capacity=capacity,
        reconciliation=None if server_counts is None else reconcile(records, server_counts),
        open_streams=open_streams(records, worker_reports, machine),
        aborted=aborted,
        environment=dict(environment),
        near_floor=near_floor(floor_in(environment), (whole, *stages), len(worker_reports)),
    )


def offered_records(records: Records, without_cancelled: bool) -> Records:
    """Return the records that count as offered."""
    return records.pick(~records.ended_as(Outcome.CANCELLED)) if without_cancelled else records


def merged_gaps(histograms: Iterable[LogHistogram]) -> LogHistogram:
    """Return one histogram that holds all gaps."""
    merged = LogHistogram()
    for histogram in histograms:
        merged.merge(histogram)
    return merged


def _whole(scenario: Scenario, records: Records, good: Mask, reports: Sequence[WorkerReport]) -> StageSummary:
    windows = stage_windows(scenario)
    window, sampling = whole_window(windows), Sampling(windows, scenario.seed)
    gaps = merged_gaps(histogram for report in reports for histogram in report.itl)
    return summarize_stage(window, records, good, gaps, window_throughput(window, records), sampling)


def _stages(
    scenario: Scenario, records: Records, good: Mask, reports: Sequence[WorkerReport]
) -> tuple[StageSummary, ...]:
    summaries = []
    sampling = Sampling(stage_windows(scenario), scenario.seed)
    for index, window in enumerate(sampling.windows):
        gaps = merged_gaps(report.itl[index] for report in reports if index < len(report.itl))
        due_here, throughput = records.stage == index, window_throughput(window, records)
        mine = records.pick(due_here)
        summaries.append(summarize_stage(window, mine, good[due_here], gaps, throughput, sampling))
    return tuple(summaries)


def _spike(
    scenario: Scenario, records: Records, good: Mask, objectives: Sequence[Objective]
) -> FlashSale | None:
    times = spike_times(scenario)
    if times is None:
        return None
    return flash_sale(records, good, objectives, [stage.name for stage in scenario.stages], times)
