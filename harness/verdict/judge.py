"""From the summary and the records to the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.measure.binomial import rank_bounds
from harness.measure.quantile import Estimate
from harness.measure.records import Records
from harness.measure.summary import Summary
from harness.scenario.model import Scenario
from harness.scenario.objective import Objective
from harness.verdict.evaluate import SHED_LATENCY_PERCENTILE, evaluate, gather
from harness.verdict.model import ObjectiveResult, Verdict, VerdictKind
from harness.verdict.validity import invalid_reasons

NO_OBJECTIVES = "no_objectives: the scenario states no objective, so there is nothing to pass"


def judge(
    summary: Summary,
    records: Records,
    objectives: Sequence[Objective],
    scenario: Scenario,
    aborted: str | None = None,
    missing_telemetry: Sequence[str] = (),
) -> Verdict:
    """Return the verdict. ``aborted`` says why the run was stopped early; None when it was not.

    ``missing_telemetry`` says of what was sent to a store what is not there: such a run is INVALID.

    ABORTED stands above INVALID, INVALID above what the objectives say: FAIL when any fails, else
    INCONCLUSIVE when any is, else PASS. The results are computed in every case; a reader may see them.
    """
    evidence = gather(summary, records, objectives, scenario)
    results = tuple(_result(objective, evaluate(objective, evidence)) for objective in objectives)
    missing = tuple(f"telemetry_incomplete: {what}" for what in missing_telemetry)
    invalid = (*invalid_reasons(summary, objectives, scenario), *missing)
    if aborted is not None:
        return _verdict(VerdictKind.ABORTED, (f"aborted: {aborted}", *invalid), results)
    if invalid:
        return _verdict(VerdictKind.INVALID, invalid, results)
    if not results:
        return _verdict(VerdictKind.INCONCLUSIVE, (NO_OBJECTIVES,), results)
    return _verdict(_by_objectives(results), (), results)


def status_of(objective: Objective, estimate: Estimate) -> VerdictKind:
    """Return PASS when the whole interval is on the good side, FAIL when it is on the bad side."""
    if estimate.n == 0 or math.isnan(estimate.measured):
        return VerdictKind.INCONCLUSIVE
    if objective.op == "at_most":
        passed, failed = estimate.high <= objective.threshold, estimate.low > objective.threshold
    else:
        passed, failed = estimate.low >= objective.threshold, estimate.high < objective.threshold
    if passed:
        return VerdictKind.PASS
    return VerdictKind.FAIL if failed else VerdictKind.INCONCLUSIVE


def samples_needed(percentile: float) -> int:
    """Return how many samples a percentile (0..100) needs for a two-sided 95 % interval; 368 for P99.

    The least n with q^n ≤ 2.5 % and (1−q)^n ≤ 2.5 %.
    """
    q = percentile / 100
    n = max(math.log(0.025) / math.log(q), math.log(0.025) / math.log1p(-q))
    return math.ceil(n - 1e-9)


def _result(objective: Objective, estimate: Estimate) -> ObjectiveResult:
    status = status_of(objective, estimate)
    return ObjectiveResult(
        objective=objective,
        measured=estimate.measured,
        low=estimate.low,
        high=estimate.high,
        n=estimate.n,
        status=status,
        note=_note(objective, estimate, status),
    )


def _note(objective: Objective, estimate: Estimate, status: VerdictKind) -> str:
    if estimate.n == 0 or math.isnan(estimate.measured):
        return _why_no_data(objective)
    if objective.metric in ("time_to_recover", "drain_time"):
        return _note_of_one_event(estimate, status)
    if status is VerdictKind.INCONCLUSIVE:
        return _why_inconclusive(objective, estimate)
    return ""


def _why_no_data(objective: Objective) -> str:
    if objective.metric == "shed_latency":
        return "no request was refused"
    if objective.metric in ("time_to_recover", "drain_time"):
        return "the run has no spike, or no calm stage that met the objectives, to compare with"
    return "nothing was sent that could be measured"


def _note_of_one_event(estimate: Estimate, status: VerdictKind) -> str:
    if not math.isinf(estimate.measured):
        return "one event, seen once: no interval beyond its resolution"
    watched = f"did not happen in the {estimate.low:.3g} s that the run watched"
    return watched + ("; a longer last stage would tell" if status is VerdictKind.INCONCLUSIVE else "")


def _why_inconclusive(objective: Objective, estimate: Estimate) -> str:
    percentile = objective.percentile
    if percentile is None and objective.metric == "shed_latency":
        percentile = SHED_LATENCY_PERCENTILE
    if percentile is not None and None in rank_bounds(estimate.n, percentile / 100):
        needed = samples_needed(percentile)
        return f"too few samples: {estimate.n}; P{percentile:g} needs at least {needed}"
    return f"the interval holds the threshold: more samples than {estimate.n} would tell"


def _by_objectives(results: Sequence[ObjectiveResult]) -> VerdictKind:
    statuses = {result.status for result in results}
    for kind in (VerdictKind.FAIL, VerdictKind.INCONCLUSIVE):
        if kind in statuses:
            return kind
    return VerdictKind.PASS


def _verdict(kind: VerdictKind, reasons: tuple[str, ...], results: tuple[ObjectiveResult, ...]) -> Verdict:
    return Verdict(kind, kind.exit_code, reasons, results)
