"""The charts as plain data for plotly: traces, axes, stage bands and marks. Colours are the page's roles."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.measure.summary import TimeSeries
from harness.report import words
from harness.report.bins import bin_seconds, middles, rates
from harness.report.closed_loop import is_closed
from harness.report.health import lateness_limits_seconds
from harness.report.run_folder import Report
from harness.report.traces import Trace, flat, infinite, line, log_seconds, log_top, plain, rate_line


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: ``key`` is its identifier, ``how_to_read`` the caption, ``wide`` its place in the grid.

    ``is_evidence``: it shows the generator and not the target, and stays true when the run is spoiled.
    """

    key: str
    title: str
    how_to_read: str
    traces: tuple[Trace, ...]
    layout: Mapping[str, Any]
    marks: tuple[tuple[float, str], ...] = ()
    wide: bool = False
    is_evidence: bool = False


def charts(report: Report) -> tuple[Chart, ...]:
    """Return the charts of a run in the order of the page; none when the run has no second of data."""
    if not report.summary.series.t:
        return ()
    makers: tuple[Callable[[Report], Chart], ...] = (
        _load,
        _ttft,
        _e2e,
        *([_heatmap] if any(map(any, report.summary.heatmap.counts)) else []),
        _in_flight,
        _outcomes,
        _generator,
        _tokens,
    )
    return tuple(make(report) for make in makers)


def spec(chart: Chart, report: Report) -> dict[str, Any]:
    """Return what the page's script draws: the chart in JSON-ready form."""
    return {
        "traces": [plain(trace) for trace in chart.traces],
        "layout": plain(chart.layout),
        "marks": [{"at": at, "label": label} for at, label in chart.marks],
        "stages": [
            {"name": stage.name, "start": stage.start_seconds, "end": stage.end_seconds}
            for stage in report.summary.stages
        ],
        "span": report.duration_seconds,
    }


def _load(report: Report) -> Chart:
    series = report.summary.series
    fill = {"fill": "tozeroy", "fillcolor": "var(--goodput-fill)"}
    return Chart(
        "load",
        "Load: what was asked, and what came of it",
        "Where completed falls below offered, work piles up; completed includes refusals. Goodput counts the "
        f"answers within every latency objective, by when they were due.{_averaged(report)}",
        (
            rate_line(series, series.goodput, "goodput", width=2.5, **fill),
            rate_line(series, series.completed, "completed", width=1.5),
            rate_line(series, series.sent, "sent", width=1.5),
            rate_line(series, series.offered, "offered", width=1.8, dash="dot"),
        ),
        _counted("requests per second"),
        marks=_spike_marks(report),
        wide=True,
    )


def _ttft(report: Report) -> Chart:
    series = report.summary.series
    how = "From due until the first token, by the second in which the request was due."
    curves = (series.ttft_p50, series.ttft_p99, series.ttft_ok_p99)
    return _percentiles(report, "ttft", "Time to first token", how, curves)


def _e2e(report: Report) -> Chart:
    series = report.summary.series
    how = "From due until the last byte of the answer."
    curves = (series.e2e_p50, series.e2e_p99, series.e2e_ok_p99)
    return _percentiles(report, "e2e", "End to end", how, curves)


def _percentiles(
    report: Report, metric: str, title: str, how: str, curves: tuple[Sequence[float], ...]
) -> Chart:
    series = report.summary.series
    p50, p99, p99_answered = curves
    limits = _thresholds(report, metric)
    traces = [
        line(series, p99_answered, "p99 of answered", colour="p99", width=1.4, dash="dot"),
        line(series, p50, "p50", width=2),
        line(series, p99, "p99", width=2.4),
        *limits,
    ]
    top = log_top([*curves, *[trace["y"] for trace in limits]])
    unbounded = [(t, top) for t, value in zip(series.t, p99, strict=True) if math.isinf(value)]
    if unbounded:
        how += " ▲ marks seconds in which 1 % or more got no answer: their p99 has no finite value."
        traces.append(infinite(unbounded))
    values = [value for curve in (*curves, *(trace["y"] for trace in limits)) for value in curve]
    return Chart(metric, title, how, tuple(traces), {"yaxis": log_seconds(values, top)})


def _heatmap(report: Report) -> Chart:
    heatmap = report.summary.heatmap
    used = [j for j in range(len(heatmap.latency_edges_seconds) - 1) if any(row[j] for row in heatmap.counts)]
    low, high = used[0], used[-1] + 1
    edges = heatmap.latency_edges_seconds[low : high + 1]
    columns = [[row[j] or None for row in heatmap.counts] for j in range(low, high)]
    trace = {
        "type": "heatmap",
        "x": heatmap.time_edges_seconds,
        "y": edges,
        "z": columns,
        "colorscale": [[step / 4, f"var(--heat-{step})"] for step in range(5)],
        "colorbar": {"thickness": 10, "title": {"text": "requests", "side": "right"}, "outlinewidth": 0},
        "hovertemplate": "%{z} requests<extra></extra>",
        "zmin": 0,
    }
    axis = log_seconds(edges, edges[-1])
    axis["range"] = [math.log10(edges[0]), math.log10(edges[-1])]
    highest = max(1, *heatmap.without_ttft)
    return Chart(
        "heatmap",
        "Time to first token: every answered request",
        "Stronger cells hold more requests. Two bands at one moment are two populations, which a percentile "
        "would hide.",
        (trace, _unanswered(report)),
        {
            "yaxis": {**axis, "domain": [0, 0.86]},
            "yaxis2": {"domain": [0.9, 1], "range": [0, highest], "showticklabels": False, "showgrid": False},
            "hovermode": "closest",
            "bargap": 0,
        },
        wide=True,
    )


def _unanswered(report: Report) -> Trace:
    """Draw those that a heatmap of latencies cannot show, in a lane above it."""
    heatmap = report.summary.heatmap
    edges = heatmap.time_edges_seconds
    return {
        "type": "bar",
        "name": "requests without a first token (lane above)",
        "x": [(a + b) / 2 for a, b in itertools.pairwise(edges)],
        "width": [b - a for a, b in itertools.pairwise(edges)],
        "y": heatmap.without_ttft,
        "yaxis": "y2",
        "marker": {"color": "var(--failed)", "line": {"width": 0}},
        "showlegend": True,
    }


def _in_flight(report: Report) -> Chart:
    series, spike = report.summary.series, report.summary.spike
    fill: Trace = {"fill": "tozeroy", "fillcolor": "var(--flight-fill)"}
    marks = _spike_marks(report)
    if spike is not None:
        marks = (*marks, (spike.peak_backlog_at_seconds, f"peak {spike.peak_backlog:,}"))
    return Chart(
        "in_flight",
        "In flight: the backlog",
        "Requests sent and not yet ended. A queue that grows while the load is steady does not end well.",
        (line(series, series.in_flight, "in flight", colour="flight", **fill),),
        _counted("requests"),
        marks=marks,
    )


def _outcomes(report: Report) -> Chart:
    series = report.summary.series
    kinds = (("ok", series.ok), ("rejected", series.rejected), ("failed", series.failed))
    return Chart(
        "outcomes",
        "Outcomes",
        f"How requests ended, by when they ended.{_averaged(report)}",
        tuple(_bars(series, counts, name) for name, counts in kinds),
        {"barmode": "stack", **_counted("requests per second")},
    )


def _bars(series: TimeSeries, counts: Sequence[int], name: str) -> Trace:
    width = bin_seconds(series)
    marker = {"color": f"var(--{name})", "line": {"width": 0}}
    base = {"type": "bar", "name": name, "width": width, "marker": marker}
    return {**base, "x": middles(series, width), "y": rates(counts, width)}


def _generator(report: Report) -> Chart:
    series, health = report.summary.series, report.summary.generator
    ends = (series.t[0], report.duration_seconds)
    lag = health.loop_lag_p99_seconds
    traces = []
    if not is_closed(report):
        traces.append(line(series, series.schedule_delay_p99, "schedule delay p99", colour="sent", width=2))
    if math.isfinite(lag):
        traces.append(flat(ends, lag, "loop lag p99, whole run", "var(--completed)", "dot"))
    limit = lateness_limits_seconds(report)[0]
    traces.append(flat(ends, limit, "limit of the run's p99", "var(--threshold)", "dash"))
    values = [*series.schedule_delay_p99, lag, limit]
    return Chart(
        "generator",
        "The generator itself: how late it was",
        "Schedule delay is send − due, loop lag how late the generator came round to what was due. Both must "
        "stay far below what is measured, or the run is INVALID.",
        tuple(traces),
        {"yaxis": log_seconds(values, log_top([values]))},
        is_evidence=True,
    )


def _tokens(report: Report) -> Chart:
    series = report.summary.series
    return Chart(
        "tokens",
        "Output tokens",
        f"Counted when their request ended.{_averaged(report)}",
        (rate_line(series, series.output_tokens, "output tokens", colour="completed"),),
        _counted("tokens per second"),
    )


def _counted(title: str) -> dict[str, Any]:
    """Return the layout of an axis that counts from zero."""
    return {"yaxis": {"title": {"text": title}, "rangemode": "tozero", "tickformat": ",~g"}}


def _averaged(report: Report) -> str:
    width = bin_seconds(report.summary.series)
    return "" if width == 1 else f" Each point is a mean over {width} s."


def _thresholds(report: Report, metric: str) -> list[Trace]:
    """Draw each objective of the metric over the stages that it covers."""
    traces: list[Trace] = []
    for objective in (result.objective for result in report.verdict.results):
        if objective.metric != metric:
            continue
        name = f"p{objective.percentile:g} {words.limit(objective.op, metric, objective.threshold)}"
        for ends in _spans(report, objective.stages):
            trace = flat(ends, objective.threshold, name, "var(--threshold)", "dash")
            is_new = all(other["name"] != name for other in traces)
            traces.append({**trace, "legendgroup": name, "showlegend": is_new})
    return traces


def _spans(report: Report, stages: Iterable[str]) -> list[tuple[float, float]]:
    wanted = set(stages)
    if not wanted:
        return [(0.0, report.summary.whole.end_seconds)]
    return [(s.start_seconds, s.end_seconds) for s in report.summary.stages if s.name in wanted]


def _spike_marks(report: Report) -> tuple[tuple[float, str], ...]:
    """Mark when the spike first hurt and when it was over; a run that was cut short cannot tell."""
    spike = report.summary.spike
    if spike is None or report.summary.aborted:
        return ()
    moments = (
        (spike.spike_start_seconds + spike.time_to_first_breach_seconds, "first breach"),
        (spike.spike_end_seconds + spike.drain_seconds, "drained"),
        (spike.spike_end_seconds + spike.recover_seconds, "recovered"),
    )
    return tuple((at, label) for at, label in moments if math.isfinite(at))
