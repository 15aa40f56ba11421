"""The parts of the page that say what happened: verdict, objectives, stages, latencies."""

from __future__ import annotations

from collections.abc import Iterator

from harness.measure.summary import LatencySummary, StageSummary
from harness.report import headline, units, words
from harness.report.calibration import is_marked, is_objective_marked, mark
from harness.report.closed_loop import NOTE, is_closed
from harness.report.figures import measured
from harness.report.gauge import gauge
from harness.report.markup import Html, cell, el, join, table
from harness.report.meaning import meaning
from harness.report.run_folder import Report
from harness.verdict.judge import samples_needed
from harness.verdict.model import ObjectiveResult

_LATENCIES = ("ttft", "ttft_service", "e2e", "tpot", "itl")


def masthead(report: Report) -> Html:
    """Name the run and say what it ran against, when, and for how long."""
    target = report.scenario.target
    started = report.started.strftime("%Y-%m-%d %H:%M:%S UTC") if report.started else None
    facts = (
        ("Target", target.url),
        ("Protocol", words.PROTOCOLS[target.protocol]),
        ("Model", target.model),
        ("Started", started),
        ("Length", units.seconds(report.duration_seconds)),
        ("Run", report.run_id),
    )
    shown = [el("div", el("dt", name), el("dd", value)) for name, value in facts if value]
    lead = [el("p", report.scenario.description, class_="lead")] if report.scenario.description else []
    lead += [el("p", NOTE, class_="note")] if is_closed(report) else []
    return el(
        "header",
        el("div", "tidegate load test", class_="brand"),
        el("h1", report.scenario.name),
        *lead,
        el("dl", *shown, class_="facts"),
        class_="masthead",
    )


def banner(report: Report) -> Html:
    """Show the verdict, its reason in a sentence and, where the run is spoiled, every reason."""
    kind = report.verdict.kind.value
    more = [el("li", reason) for reason in headline.more_reasons(report)]
    return el(
        "section",
        el("div", f"{words.SYMBOLS[kind]} {kind}", class_="word"),
        el("p", headline.sentence(report), class_="why"),
        *([el("ul", *more)] if more else []),
        el(
            "p",
            f"{kind.capitalize()} means: {words.MEANINGS[kind]}. Exit code\u00a0{report.verdict.exit_code}.",
            class_="exit",
        ),
        class_=f"banner {kind}",
        aria_label="Verdict",
    )


def objective_table(report: Report) -> Html:
    """List every objective with its measurement, interval, sample count, threshold and status."""
    if not report.verdict.results:
        return el("p", "The scenario defines no objectives.", class_="note")
    close = ("How close",) if report.is_valid else ()
    head = ("Objective", "Metric", "#Measured", "#95 % interval", "#n", "#Required", *close, "Status")
    rows = [_objective_row(result, report) for result in report.verdict.results]
    return table(head, rows, "Objectives", stacks=True)


def stage_table(report: Report) -> Html:
    """Compare the stages: load, goodput, refusals, failures and the two percentiles that people ask for."""
    head = (
        *("Stage", "#Offered", "#Offered rate", "#Completed rate", "#Goodput", "#Attainment"),
        *("#Shed", "#Failed", "#TTFT p50", "#TTFT p99", "#E2E p99", "#Output tokens"),
    )
    stages = (*report.summary.stages, report.summary.whole)
    return table(head, [_stage_row(stage, report) for stage in stages], "Stages")


def latency_tables(report: Report) -> Html:
    """Show the whole run's latencies, and each stage's behind a fold."""
    whole = report.summary.whole
    folds = [
        el("details", el("summary", f"Stage {stage.name}"), _latency_table(stage, report))
        for stage in report.summary.stages
    ]
    return el("div", _latency_table(whole, report), *folds)


def _objective_row(result: ObjectiveResult, report: Report) -> Html:
    objective = result.objective
    status = result.status.value if report.is_valid else report.verdict.kind.value
    value = words.metric_value(objective.metric, result.measured)
    between = words.between(objective.metric, result.low, result.high)
    name = words.metric_name(objective.metric, objective.percentile)
    required = words.limit(objective.op, objective.metric, objective.threshold)
    told = f"{value}, interval {between}, required {required}"
    return el(
        "tr",
        el(
            "td",
            el("strong", objective.name),
            el("small", meaning(objective)),
            title=objective.source or None,
        ),
        el("td", name, el("small", headline.window(result)), class_="name"),
        cell(
            join([measured(value, report), mark(is_objective_marked(report, result))]),
            number=True,
            label="Measured",
        ),
        cell(measured(between, report), number=True, label="95 % interval"),
        cell(units.count(result.n), number=True, label="n"),
        cell(required, number=True, label="Required"),
        *([cell(gauge(result, told), result.note)] if report.is_valid else []),
        cell(el("span", f"{words.SYMBOLS[status]} {status}", class_="pill")),
        class_=status,
    )


def _stage_row(stage: StageSummary, report: Report) -> Html:
    name = "whole run" if stage is report.summary.whole else stage.name
    ttft, e2e = stage.latencies["ttft"], stage.latencies["e2e"]
    numbers: tuple[object, ...] = (
        units.count(stage.offered),
        units.rate(stage.offered_rate),
        measured(units.rate(stage.completed_rate), report),
        measured(units.rate(stage.goodput), report),
        measured(units.share(stage.attainment), report),
        measured(units.share(stage.shed_share), report),
        measured(units.share(stage.error_share), report),
        _marked(ttft.p50, report, stage, "p50"),
        _marked(ttft.p99, report, stage, "p99"),
        measured(units.seconds(e2e.p99), report),
        measured(units.rate(stage.output_tokens_per_second), report),
    )
    when = f"{stage.start_seconds:.0f} to {stage.end_seconds:.0f} s"
    head = el("th", name, el("small", when), scope="row")
    kind = "total" if stage is report.summary.whole else None
    return el("tr", head, *(cell(number, number=True) for number in numbers), class_=kind)


def _marked(ttft_seconds: float, report: Report, stage: StageSummary, percentile: str) -> Html:
    near = is_marked(report, stage, "ttft", percentile)
    return join([measured(units.seconds(ttft_seconds), report), mark(near)])


def _latency_table(stage: StageSummary, report: Report) -> Html:
    head = (
        *("Latency", "#n", "#No answer", "#p50", "#p90", "#p95", "#p99", "#p99 interval", "#p99.9"),
        *("#Answered p50", "#Answered p99", "#Answered max"),
    )
    rows = [_latency_row(metric, latency, stage, report) for metric, latency in _latencies(stage)]
    return table(head, rows, f"Latencies, {stage.name}")


def _latencies(stage: StageSummary) -> Iterator[tuple[str, LatencySummary]]:
    for metric in _LATENCIES:
        latency = stage.itl if metric == "itl" else stage.latencies.get(metric)
        if latency is not None:
            yield metric, latency


def _latency_row(metric: str, latency: LatencySummary, stage: StageSummary, report: Report) -> Html:
    def shown(value: float | None, percentile: str = "") -> Html:
        near = mark(is_marked(report, stage, metric, percentile))
        return cell(join([measured(units.seconds(value), report), near]), number=True)

    between = "too few samples"
    if latency.p99_ci is not None:
        between = words.between("ttft", *latency.p99_ci)
    p999 = latency.p999 if latency.n >= samples_needed(99.9) else None
    return el(
        "tr",
        el("th", words.METRIC_NAMES[metric], scope="row"),
        cell(units.count(latency.n), number=True),
        cell(units.count(latency.n_failed), number=True),
        *(shown(getattr(latency, name), name) for name in ("p50", "p90", "p95", "p99")),
        cell(measured(between, report), number=True),
        shown(p999, "p999" if p999 is not None else ""),
        *map(shown, (latency.over_ok.get("p50"), latency.over_ok.get("p99"), latency.max_ok)),
    )
