"""One document for a run: what was asked, on what, what came of it, and the judgement.

Rates are per second, shares 0 to 1, times milliseconds. +inf (failures reach the percentile) and nan (no
data) are no JSON numbers: such a field is absent, and ``tidegate.stages``, which is kept and not searched,
tells it as the run's files do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.measure.codec import to_plain
from harness.measure.summary import LatencySummary, StageSummary, Summary
from harness.report.run_folder import Report
from harness.verdict.model import ObjectiveResult, Verdict
from observability.ecs import ECS_VERSION, ecs_timestamp
from observability.elastic.document import Document, make_document
from observability.elastic.streams import Stream

_LATENCIES = ("ttft", "ttft_service", "e2e", "tpot", "schedule_delay")
_KEPT_OF_STAGE = ("name", "offered", "sent", "ok", "offered_rate", "completed_rate", "goodput", "attainment")


def run_document(run: Report) -> Document:
    """Return the document; its id is the run's."""
    fields = {**_identity(run), **_measured(run.summary), **_judged(run.verdict)}
    return make_document(Stream.RUNS, run.run_id, fields)


def _identity(run: Report) -> Mapping[str, Any]:
    environment, target = run.summary.environment, run.scenario.target
    versions: Mapping[str, Any] = environment.get("packages", {})
    return {
        "@timestamp": ecs_timestamp(0.0 if run.started is None else run.started.timestamp()),
        "ecs.version": ECS_VERSION,
        "message": f"run {run.run_id}: {run.verdict.kind.value}",
        "labels.run_id": run.run_id,
        "labels.scenario": run.scenario.name,
        "url.full": target.url,
        "gen_ai.request.model": target.model,
        "tidegate.version": versions.get("tidegate"),
        "tidegate.versions": {**versions, "python": environment.get("python")},
        "tidegate.cpu": environment.get("cpu"),
    }


def _measured(summary: Summary) -> Mapping[str, Any]:
    whole = summary.whole
    numbers = {
        "tidegate.duration_seconds": whole.end_seconds - whole.start_seconds,
        "tidegate.offered": whole.offered,
        "tidegate.sent": whole.sent,
        "tidegate.ok": whole.ok,
        "tidegate.offered_per_second": whole.offered_rate,
        "tidegate.completed_per_second": whole.completed_rate,
        "tidegate.goodput_per_second": whole.goodput,
        "tidegate.output_tokens_per_second": whole.output_tokens_per_second,
        "tidegate.attainment_share": whole.attainment,
        "tidegate.shed_share": whole.shed_share,
        "tidegate.error_share": whole.error_share,
        "gen_ai.usage.input_tokens": whole.input_tokens,
        "gen_ai.usage.output_tokens": whole.output_tokens,
        **_percentiles_ms(whole),
    }
    stages = [_stage(stage) for stage in (whole, *summary.stages)]
    return {**{name: _number(value) for name, value in numbers.items()}, "tidegate.stages": stages}


def _percentiles_ms(whole: StageSummary) -> Mapping[str, float]:
    ttft, e2e, delay = (whole.latencies[name] for name in ("ttft", "e2e", "schedule_delay"))
    return {
        "tidegate.ttft_p50_ms": ttft.p50 * 1e3,
        "tidegate.ttft_p95_ms": ttft.p95 * 1e3,
        "tidegate.ttft_p99_ms": ttft.p99 * 1e3,
        "tidegate.e2e_p50_ms": e2e.p50 * 1e3,
        "tidegate.e2e_p95_ms": e2e.p95 * 1e3,
        "tidegate.e2e_p99_ms": e2e.p99 * 1e3,
        "tidegate.itl_p99_ms": whole.itl.p99 * 1e3,
        "tidegate.schedule_delay_p99_ms": delay.p99 * 1e3,
    }


def _stage(stage: StageSummary) -> Mapping[str, Any]:
    kept = {name: to_plain(getattr(stage, name)) for name in _KEPT_OF_STAGE}
    latencies = {name: _quantiles(stage.latencies[name]) for name in _LATENCIES if name in stage.latencies}
    return {**kept, "latencies_seconds": {**latencies, "itl": _quantiles(stage.itl)}}


def _quantiles(latency: LatencySummary) -> Mapping[str, Any]:
    return {name: to_plain(getattr(latency, name)) for name in ("n", "p50", "p95", "p99")}


def _judged(verdict: Verdict) -> Mapping[str, Any]:
    return {
        "tidegate.verdict": verdict.kind.value,
        "tidegate.exit_code": verdict.exit_code,
        "tidegate.reasons": list(verdict.reasons),
        "event.outcome": "success" if verdict.exit_code == 0 else "failure",
        "tidegate.objectives": [_objective(result) for result in verdict.results],
    }


def _objective(result: ObjectiveResult) -> Mapping[str, Any]:
    objective = result.objective
    told = {
        "name": objective.name,
        "metric": objective.metric,
        "percentile": objective.percentile,
        "op": objective.op,
        "stages": list(objective.stages),
        "threshold": objective.threshold,
        "measured": _number(result.measured),
        "low": _number(result.low),
        "high": _number(result.high),
        "n": result.n,
        "status": result.status.value,
        "note": result.note,
    }
    return {name: value for name, value in told.items() if value is not None}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
