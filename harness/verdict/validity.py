"""Why a run is INVALID: what the generator, the clock or the counts did to it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.measure.summary import GeneratorHealth, Reconciliation, Summary
from harness.scenario.model import Limits, Scenario
from harness.scenario.objective import Objective, latency_thresholds_seconds

FLOOR_SECONDS = 0.005
SHARE_OF_TIGHTEST_THRESHOLD = 0.02
CLOCK_JUMP_SECONDS = 0.05
"""NTP slews by at most 0.5 ms a second; 50 ms between start and end is a step, or a suspended machine."""


def invalid_reasons(summary: Summary, objectives: Sequence[Objective], scenario: Scenario) -> tuple[str, ...]:
    """Return every reason to refuse the run, each ``code: sentence``; none for a run that can be judged."""
    limits, default = scenario.limits, default_lateness_limit_seconds(objectives)
    health = summary.generator
    return (
        *_schedule_delay(health, limits.schedule_delay_p99 or default),
        *_loop_lag(health, limits.loop_lag_p99 or default),
        *_dropped(health, limits),
        *_lost(health),
        *_clock(health),
        *_clocks(health, limits, limits.clock_uncertainty or default),
        *(f"spoiled: {what}" for what in health.spoiled),
        *_counts(summary.reconciliation),
    )


def default_lateness_limit_seconds(objectives: Sequence[Objective]) -> float:
    """Return max(5 ms, 2 % of the tightest latency threshold)."""
    thresholds = latency_thresholds_seconds(objectives)
    return max(FLOOR_SECONDS, SHARE_OF_TIGHTEST_THRESHOLD * min(thresholds, default=0.0))


def _schedule_delay(health: GeneratorHealth, limit_seconds: float) -> Iterator[str]:
    if health.schedule_delay_p99_seconds > limit_seconds:
        yield (
            f"schedule_delay: requests left late: p99 {_ms(health.schedule_delay_p99_seconds)} after they "
            f"were due, over {health.sent} sent; the limit is {_ms(limit_seconds)}"
        )


def _loop_lag(health: GeneratorHealth, limit_seconds: float) -> Iterator[str]:
    lag = health.loop_lag_p99_seconds
    if lag > limit_seconds:
        yield f"loop_lag: a worker's loop was starved: p99 {_ms(lag)}; the limit is {_ms(limit_seconds)}"
    elif math.isnan(lag) and health.planned:
        yield "loop_lag: no worker measured its event loop, so nothing tells whether the times are true"


def _dropped(health: GeneratorHealth, limits: Limits) -> Iterator[str]:
    if health.dropped_share > limits.dropped_share:
        yield (
            f"dropped: {health.dropped} of {health.planned} arrivals were never sent because max_in_flight "
            f"was reached ({health.dropped_share:.2%}); the limit is {limits.dropped_share:.2%}"
        )


def _lost(health: GeneratorHealth) -> Iterator[str]:
    if health.lost_records:
        yield f"records_lost: {health.lost_records} of {health.planned} planned arrivals have no record"
    if health.duplicate_records:
        yield f"records_duplicated: {health.duplicate_records} records are of arrivals that have one already"
    if health.workers_lost:
        yield f"workers_lost: {health.workers_lost} of the workers ended without a report"


def _clock(health: GeneratorHealth) -> Iterator[str]:
    if health.clock_jump_seconds > CLOCK_JUMP_SECONDS:
        yield (
            f"clock_jumped: wall clock and monotonic clock moved apart by {_ms(health.clock_jump_seconds)} "
            f"during the run; the limit is {_ms(CLOCK_JUMP_SECONDS)}"
        )


def _clocks(health: GeneratorHealth, limits: Limits, uncertainty_limit_seconds: float) -> Iterator[str]:
    for clock in health.clocks:
        if clock.uncertainty_seconds > uncertainty_limit_seconds:
            yield (
                f"clock_uncertain: worker {clock.worker}'s clock was compared with the master's to "
                f"± {_ms(clock.uncertainty_seconds)}, so its slice may have started that much early or late; "
                f"the limit is {_ms(uncertainty_limit_seconds)}"
            )
        if abs(clock.drift_seconds) - 2 * clock.uncertainty_seconds > limits.clock_drift:  # for certain
            yield (
                f"clock_drifted: worker {clock.worker}'s clock moved by {_ms(abs(clock.drift_seconds))} "
                f"against the master's during the run; the limit is {_ms(limits.clock_drift)}"
            )


def _counts(counts: Reconciliation | None) -> Iterator[str]:
    if counts is None:
        return
    if counts.requests_agree is False:
        yield _disagreement(
            "requests", counts.server_requests, counts.client_requests, counts.unseen_requests
        )
    if counts.output_tokens_agree is False:
        yield _disagreement(
            "output_tokens",
            counts.server_output_tokens,
            counts.client_output_tokens,
            counts.unseen_output_tokens,
        )


def _disagreement(what: str, server: int | None, client: int, unseen: int) -> str:
    allowed = f"{client}" if not unseen else f"{client} to {client + unseen}"
    noun = what.replace("_", " ")
    return f"counts_differ_{what}: the server counted {server} {noun}, the client's records allow {allowed}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
