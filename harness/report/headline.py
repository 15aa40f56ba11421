"""The one sentence that says why the verdict is what it is."""

from __future__ import annotations

import math

from harness.report import units, words
from harness.report.run_folder import Report
from harness.scenario.metrics import SPIKE_METRICS
from harness.verdict.model import ObjectiveResult

_NAMED_AT_MOST = 2


def sentence(report: Report) -> str:
    """Say in one sentence why the run has its verdict."""
    kind = report.verdict.kind.value
    if kind in {"INVALID", "ABORTED"}:
        return _spoiled(report, kind)
    results = report.verdict.results
    if kind == "FAIL":
        missed = [result for result in results if result.status.value == "FAIL"]
        return _listed(f"{len(missed)} of {units.plural(len(results), 'objective')} missed", missed)
    if kind == "INCONCLUSIVE":
        if not results:
            return "No objectives are defined, so there is nothing to judge."
        open_ones = [result for result in results if result.status.value == "INCONCLUSIVE"]
        return _listed(
            f"{len(open_ones)} of {units.plural(len(results), 'objective')} cannot be decided", open_ones
        )
    held = "The one objective holds" if len(results) == 1 else f"All {len(results)} objectives hold"
    return f"{held}, with the whole 95 % interval on the good side of the threshold."


def reason_sentence(reason: str) -> str:
    """Drop the machine's code from ``code: sentence``."""
    code, colon, rest = reason.partition(": ")
    text = rest if colon and " " not in code else reason
    return text[:1].upper() + text[1:]


def more_reasons(report: Report) -> tuple[str, ...]:
    """Return why the run is spoiled beyond the first reason, which the sentence tells already."""
    return () if report.is_valid else tuple(map(reason_sentence, report.verdict.reasons[1:]))


def window(result: ObjectiveResult) -> str:
    """Name the stages that an objective looks at: ``stage sale``, ``stages sale, fade``, ``whole run``."""
    stages = result.objective.stages
    if result.objective.metric in SPIKE_METRICS:
        return "after the spike"
    if not stages:
        return "whole run"
    return f"stage{'s' if len(stages) > 1 else ''} {', '.join(stages)}"


def place(result: ObjectiveResult) -> str:
    """Name an objective's window inside a sentence: ``in stages sale and fade``, ``over the whole run``."""
    stages = result.objective.stages
    if not stages:
        return "after the spike" if result.objective.metric in SPIKE_METRICS else "over the whole run"
    listed = " and ".join(filter(None, (", ".join(stages[:-1]), stages[-1])))
    return f"in stage{'s' if len(stages) > 1 else ''} {listed}"


def _spoiled(report: Report, kind: str) -> str:
    start = "This run cannot be judged" if kind == "INVALID" else "The run did not finish"
    reasons = [reason_sentence(reason).rstrip(".") for reason in report.verdict.reasons]
    if not reasons:
        return f"{start}."
    more = "" if len(reasons) == 1 else f" (and {units.plural(len(reasons) - 1, 'more reason')})"
    return f"{start}: {reasons[0][:1].lower()}{reasons[0][1:]}{more}."


def _listed(start: str, results: list[ObjectiveResult]) -> str:
    named = "; ".join(_finding(result) for result in results[:_NAMED_AT_MOST])
    left = len(results) - _NAMED_AT_MOST
    return f"{start}: {named}{f'; and {left} more' if left > 0 else ''}."


def _finding(result: ObjectiveResult) -> str:
    objective = result.objective
    name = words.in_sentence(words.metric_name(objective.metric, objective.percentile))
    allowed = words.limit(objective.op, objective.metric, objective.threshold)
    if result.status.value == "INCONCLUSIVE" and result.note:
        return f"{name} {place(result)} (required {allowed}): {result.note.rstrip('.')}"
    return f"{name} {place(result)} {_measured(result)} (required {allowed})"


def _measured(result: ObjectiveResult) -> str:
    objective = result.objective
    if not math.isinf(result.measured):
        return f"is {words.metric_value(objective.metric, result.measured)}"
    if objective.percentile is None:
        return "did not happen within the run"
    return f"is ∞, as at least {100 - objective.percentile:g} % of its requests got no answer"
