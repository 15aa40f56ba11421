"""The Markdown summary: what a pull request or a CI job page shows of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harness.report import headline, units, words
from harness.report.calibration import MEANING, SIGN, floor_sign, floor_text, is_marked, is_objective_marked
from harness.report.closed_loop import NOTE, is_closed
from harness.report.run_folder import Report
from harness.verdict.model import ObjectiveResult

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def write_markdown(path: Path, report: Report) -> Path:
    """Write the summary, append it to the file that ``$GITHUB_STEP_SUMMARY`` names, and return the path."""
    text = markdown(report)
    path.write_text(text, encoding="utf-8")
    append_step_summary(text)
    return path


def append_step_summary(text: str) -> None:
    """Append to the page of the running GitHub job, where there is one."""
    target = os.environ.get(STEP_SUMMARY)
    if target:
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")


def markdown(report: Report) -> str:
    """Return the summary of one run: verdict, objectives, key figures, flash sale."""
    kind = report.verdict.kind.value
    lines = [f"## {words.SYMBOLS[kind]} {kind}: {escape(report.scenario.name)}", ""]
    lines += [escape(headline.sentence(report)), ""]
    if more := headline.more_reasons(report):
        lines += [*(f"- {escape(reason)}" for reason in more), ""]
    if is_closed(report):
        lines += [escape(NOTE), ""]
    lines += [*_objectives(report), *_figures(report), *_spike(report), *_whereabouts(report)]
    return "\n".join(lines) + "\n"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> list[str]:
    """Return a Markdown table whose columns ``numbers`` are set right; every cell is escaped."""
    rule = ["---:" if index in numbers else "---" for index in range(len(head))]
    body = [f"| {' | '.join(map(escape, row))} |" for row in rows]
    return [f"| {' | '.join(head)} |", f"| {' | '.join(rule)} |", *body, ""]


def escape(text: str) -> str:
    """Escape what Markdown or HTML inside it would read as markup."""
    for sign in ("\\", "|", "*", "_", "`", "[", "~"):
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "&lt;").replace("\n", " ")


def _objectives(report: Report) -> list[str]:
    if not report.verdict.results:
        return []
    head = ("Objective", "Where", "Measured", "95 % interval", "n", "Required", "Status")
    rows = [_objective_row(result, report) for result in report.verdict.results]
    return grid(head, rows, numbers=(2, 3, 4, 5))


def _objective_row(result: ObjectiveResult, report: Report) -> tuple[str, ...]:
    objective = result.objective
    between = words.between(objective.metric, result.low, result.high)
    status = result.status.value if report.is_valid else report.verdict.kind.value
    near = floor_sign(is_objective_marked(report, result))
    return (
        f"{objective.name}: {words.metric_name(objective.metric, objective.percentile)}",
        headline.window(result),
        _valid(f"{words.metric_value(objective.metric, result.measured)}{near}", report),
        _valid(between, report),
        units.count(result.n),
        words.limit(objective.op, objective.metric, objective.threshold),
        f"{words.SYMBOLS[status]} {status}",
    )


def _figures(report: Report) -> list[str]:
    whole, capacity = report.summary.whole, report.summary.capacity
    pairs = [
        (
            "Asked" if is_closed(report) else "Offered",
            f"{units.plural(whole.offered, 'request')}, {units.rate(whole.offered_rate)}",
        ),
        (
            "Goodput",
            _valid(f"{units.rate(whole.goodput)} ({units.share(whole.attainment)} of offered)", report),
        ),
        ("TTFT p50, p99", _valid(", ".join(_ttft(report, key) for key in ("p50", "p99")), report)),
        (
            "Shed, failed",
            _valid(f"{units.share(whole.shed_share)}, {units.share(whole.error_share)}", report),
        ),
    ]
    pairs.append(("Floor of this machine", floor_text(report.summary)))
    if report.summary.near_floor:
        pairs.append((f"{SIGN}", MEANING))
    if capacity is not None:
        pairs.insert(0, ("Capacity (1x)", units.rate(capacity.requests_per_second)))
    return grid(("Figure", "Value"), pairs)


def _ttft(report: Report, percentile: str) -> str:
    whole = report.summary.whole
    near = floor_sign(is_marked(report, whole, "ttft", percentile))
    return f"{units.seconds(getattr(whole.latencies['ttft'], percentile))}{near}"


def _spike(report: Report) -> list[str]:
    spike = report.summary.spike
    if spike is None:
        return []
    pairs = (
        ("Time to first breach", words.event_time(spike.time_to_first_breach_seconds, "none")),
        ("Peak backlog", units.count(spike.peak_backlog)),
        ("Shed in the spike", units.share(spike.shed_share)),
        ("Drain time", words.event_time(spike.drain_seconds)),
        ("Time to recover", words.event_time(spike.recover_seconds)),
    )
    rows = [(name, _valid(value, report)) for name, value in pairs]
    return grid(("Flash sale", "Value"), rows)


def _whereabouts(report: Report) -> list[str]:
    target = report.scenario.target
    protocol = words.PROTOCOLS[target.protocol]
    exit_code = f"exit code {report.verdict.exit_code}"
    parts = [f"run {report.run_id}", target.url, protocol, target.model, exit_code]
    return [f"<sub>{escape(' · '.join(part for part in parts if part))}</sub>"]


def _valid(value: str, report: Report) -> str:
    """Say beside a value of a spoiled run that it is not one."""
    if report.is_valid or value == units.ABSENT:
        return value
    return f"{words.doubt(report.verdict.kind.value)} ({value})"
