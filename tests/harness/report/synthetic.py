"""Whole run folders without a run: a queue with S servers and a bounded line, under a flash sale.

The figures are those of a simulated server, so that the pages look like real ones: waiting grows under the
spike, refusals begin when the line is full, and the backlog drains when the sale fades.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.measure.record import Outcome, RequestRecord, TokenSource

SLOTS = 48
LINE = 120
GAP_SECONDS = 0.021
STAGES = (("calm", 40.0), ("sale", 30.0), ("fade", 50.0), ("after", 40.0))
CALM_RATE, SALE_RATE = 24.0, 72.0


@dataclass(frozen=True)
class Shape:
    """What is wrong with the synthetic run, if anything."""

    load: float = 1.0  # a factor on every arrival rate
    send_delay_seconds: float = 0.0003  # the generator's mean lateness
    failed_share: float = 0.002
    stop_seconds: float | None = None  # an abort: everything after is cancelled
    seed: int = 7


def rate_at(seconds: float) -> float:
    """Return arrivals per second: calm, a step up, an exponential fade, calm again."""
    if seconds < 40:
        return CALM_RATE
    if seconds < 70:
        return SALE_RATE
    return CALM_RATE + (SALE_RATE - CALM_RATE) * 2 ** (-(seconds - 70) / 9)


def arrivals(shape: Shape, rng: np.random.Generator) -> Iterator[float]:
    """Thin a Poisson process of the highest rate."""
    top, now, end = SALE_RATE * shape.load, 0.0, sum(seconds for _, seconds in STAGES)
    while (now := now + rng.exponential(1 / top)) < end:
        if rng.random() < rate_at(now) * shape.load / top:
            yield now


def records(shape: Shape) -> list[RequestRecord]:
    """Run the queue and return one record for every arrival."""
    rng = np.random.default_rng(shape.seed)
    free_at = [0.0] * SLOTS
    starts: list[float] = []  # a heap: when those that wait will begin
    made = []
    for seq, due in enumerate(arrivals(shape, rng)):
        sent = due + rng.gamma(1.5, shape.send_delay_seconds / 1.5)
        while starts and starts[0] <= sent:
            heapq.heappop(starts)
        base = _base(seq, due, sent, rng)
        if len(starts) >= LINE:
            made.append(_refused(base, sent, rng))
            continue
        begin = max(heapq.heappop(free_at), sent)
        heapq.heappush(starts, begin)
        tokens = int(np.clip(rng.lognormal(3.9, 0.5), 4, 256))
        first = begin + 0.035 + rng.gamma(3, 0.01)
        last = first + (tokens - 1) * GAP_SECONDS * rng.normal(1, 0.05)
        heapq.heappush(free_at, last)
        made.append(_answered(base, shape, first, last, tokens, rng))
    return [_stopped(record, shape) for record in made]


def gaps_ns(rng: np.random.Generator, number: int) -> np.ndarray:
    """Return gaps between tokens in nanoseconds."""
    return (rng.gamma(30, GAP_SECONDS / 30, number) * 1e9).astype(np.int64)


def stage_of(seconds: float) -> int:
    """Return the index of the stage that a moment belongs to."""
    ends = np.cumsum([length for _, length in STAGES])
    return int(np.searchsorted(ends, seconds, side="right"))


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)


def _base(seq: int, due: float, sent: float, rng: np.random.Generator) -> RequestRecord:
    return RequestRecord(
        seq=seq,
        worker=0,
        stage=stage_of(due),
        trace_id=f"{seq:032x}",
        sampled=bool(rng.random() < 0.05),
        intended_ns=_ns(due),
        outcome=Outcome.OK,
        end_ns=_ns(sent),
        sent_ns=_ns(sent),
        connected_ns=_ns(sent + 0.0002),
        input_tokens=int(np.clip(rng.lognormal(4.8, 0.6), 8, 1024)),
        max_tokens=256,
    )


def _refused(base: RequestRecord, sent: float, rng: np.random.Generator) -> RequestRecord:
    end = _ns(sent + rng.gamma(4, 0.0005))
    return replace(base, outcome=Outcome.REJECTED, http_status=429, first_byte_ns=end, end_ns=end)


def _answered(
    base: RequestRecord, shape: Shape, first: float, last: float, tokens: int, rng: np.random.Generator
) -> RequestRecord:
    if rng.random() < shape.failed_share:
        outcome = [Outcome.DISCONNECTED, Outcome.TRUNCATED, Outcome.HTTP_ERROR][int(rng.integers(3))]
        return replace(base, outcome=outcome, end_ns=_ns(first), error_type="synthetic")
    return replace(
        base,
        first_byte_ns=_ns(first),
        first_token_ns=_ns(first),
        last_token_ns=_ns(last),
        end_ns=_ns(last + 0.0003),
        http_status=200,
        output_tokens=tokens,
        token_source=TokenSource.USAGE,
        chunks=tokens,
        max_gap_ns=int(GAP_SECONDS * 2.5e9),
        finish_reason="stop",
        bytes_received=tokens * 210,
    )


def _stopped(record: RequestRecord, shape: Shape) -> RequestRecord:
    if shape.stop_seconds is None or record.end_ns <= _ns(shape.stop_seconds):
        return record
    stop = _ns(shape.stop_seconds)
    if record.intended_ns > stop:
        unsent = replace(record, sent_ns=None, connected_ns=None, end_ns=record.intended_ns)
        record = replace(unsent, http_status=None, first_byte_ns=None)
    kept = {name: _before(getattr(record, name), stop) for name in ("first_byte_ns", "first_token_ns")}
    return replace(
        record, outcome=Outcome.CANCELLED, end_ns=max(stop, record.intended_ns), last_token_ns=None, **kept
    )


def _before(instant_ns: int | None, stop_ns: int) -> int | None:
    return None if instant_ns is None or instant_ns > stop_ns else instant_ns
