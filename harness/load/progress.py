"""Live progress: what each worker sends every second, and the sum that the master shows."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from harness.load.counts import EngineStats
from harness.load.messages import Counts, Sparse
from harness.measure.histogram import LogHistogram
from harness.measure.live_goodput import LiveGoodput
from harness.measure.record import Outcome
from harness.scenario.model import Scenario
from harness.scenario.objective import Objective, objectives

WINDOW_SECONDS = 5.0
_COUNTS = ("offered", "sent", "completed", "in_flight", "failed", "rejected", "good")


@dataclass(frozen=True, slots=True)
class Progress:
    """The run as it stands. TTFT is from the due time, gaps are those between tokens; nan: none yet.

    ``completed`` counts every arrival that has ended, ``failed`` those that ended in neither an answer nor a
    refusal (429, 503), ``good`` the answers that met every latency objective that a single request can meet.
    Percentiles without ``run_`` are over the last 5 s; all are over answers with a token, and within 1 %.
    """

    elapsed_seconds: float
    stage: str
    offered: int
    sent: int
    completed: int
    in_flight: int
    failed: int
    rejected: int
    good: int
    ttft_p50_seconds: float
    ttft_p99_seconds: float
    gap_p50_seconds: float
    gap_p99_seconds: float
    run_ttft_p50_seconds: float
    run_ttft_p99_seconds: float
    run_gap_p50_seconds: float
    run_gap_p99_seconds: float
    goodput: float
    """Good answers per second over the last 5 s, by when they ended."""
    workers_alive: int
    counted_at_seconds: float = 0.0
    """Of when the counts are, after the run's start: each worker sends its own once a second."""
    live_values: tuple[float, ...] = ()
    """What each of the scenario's objectives measures so far; nan where live counts cannot tell."""

    @property
    def backlog(self) -> int:
        """Due and not ended, whether or not it was sent."""
        return self.offered - self.completed


class Watched(Protocol):
    """What drives the load, as far as it is watched: the open loop's engine, or a locustfile's users."""

    @property
    def listeners(self) -> list[Any]:
        """Who takes each batch of records."""

    @property
    def ttft(self) -> LogHistogram:
        """First token − due: of every first token so far, or of those whose answers have ended."""

    @property
    def itl(self) -> Sequence[LogHistogram]:
        """The gaps between tokens so far, per stage."""

    def stats(self) -> EngineStats:
        """The counts so far."""


class ProgressReporter:
    """A worker's side: ``message`` returns the counts so far and the histograms since the last message."""

    def __init__(self, engine: Watched, run_id: str, worker: int, scenario: Scenario) -> None:
        self._engine = engine
        self._run_id = run_id
        self._worker = worker
        self._ttft_told, self._gaps_told = LogHistogram(), LogHistogram()
        self._goodput = LiveGoodput(objectives(scenario), [stage.name for stage in scenario.stages])
        engine.listeners.append(self._goodput.take)

    def message(self) -> Counts:
        """Return the next message to the master."""
        stats = self._engine.stats()
        good, rejected = stats.completed[Outcome.OK], stats.completed[Outcome.REJECTED]
        return Counts(
            run_id=self._run_id,
            worker=self._worker,
            offered=stats.offered,
            sent=stats.sent + stats.in_flight,  # the count is of ended requests
            completed=stats.recorded,
            in_flight=stats.in_flight,
            failed=stats.recorded - good - rejected,
            rejected=rejected,
            good=self._goodput.good,
            ttft=sparse(self._new_ttft()),
            gaps=sparse(self._new_gaps()),
        )

    def _new_ttft(self) -> LogHistogram:
        """Return those since the last message; the maximum is the run's, for buckets do not tell it."""
        now = merged([self._engine.ttft])
        before, self._ttft_told = self._ttft_told, now
        return now.since(before)

    def _new_gaps(self) -> LogHistogram:
        """Return those since the last message, likewise."""
        now = merged(self._engine.itl)
        before, self._gaps_told = self._gaps_told, now
        return now.since(before)


def sparse(histogram: LogHistogram) -> Sparse:
    """Return a histogram as a message carries it."""
    plain = histogram.to_dict()
    return Sparse(plain["buckets"], plain["counts"], plain["max_ns"])


class ProgressBoard:
    """The master's side: sums the newest counts of each worker and merges their histograms.

    What came within one second shares a histogram, so that a thousand workers cost no more to read than one.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._names = [stage.name for stage in scenario.stages]
        self._starts = scenario.stage_starts_seconds()
        self._latest: dict[int, Counts] = {}
        self._latest_at: dict[int, float] = {}
        self._seconds: deque[_Second] = deque()
        self._past = _Second(0)
        self._sum: Progress | None = None
        self._summed_at = 0.0
        self._is_new = False
        self._objectives = objectives(scenario)

    def take(self, message: Counts, now_seconds: float) -> None:
        """Take a worker's message, received at ``now_seconds``."""
        self._is_new = True
        before = self._latest.get(message.worker)
        self._latest[message.worker] = message
        self._latest_at[message.worker] = now_seconds
        second = self._second(math.floor(now_seconds))
        second.good += message.good - (before.good if before else 0)
        second.ttft.add_counts(*_parts(message.ttft))
        second.gaps.add_counts(*_parts(message.gaps))

    def read(self, elapsed_seconds: float, now_seconds: float, workers_alive: int) -> Progress:
        """Return the sum as of now.

        Sums take milliseconds, which a process that also sends load cannot spare four times a second: without
        a new message they are up to a second old.
        """
        if self._sum is None or self._is_new or now_seconds - self._summed_at >= 1.0:
            self._sum = self._add_up(elapsed_seconds, now_seconds)
            self._summed_at, self._is_new = now_seconds, False
        return replace(
            self._sum,
            elapsed_seconds=max(0.0, elapsed_seconds),
            stage=self._names[max(0, bisect_right(self._starts, elapsed_seconds) - 1)],
            workers_alive=workers_alive,
        )

    def _add_up(self, elapsed_seconds: float, now_seconds: float) -> Progress:
        while self._seconds and self._seconds[0].at < now_seconds - WINDOW_SECONDS:
            self._forget(self._seconds.popleft())
        window, so_far = _Second(0), _Second(0)
        window.ttft = merged(second.ttft for second in self._seconds)
        window.gaps = merged(second.gaps for second in self._seconds)
        so_far.ttft = merged((self._past.ttft, window.ttft))
        so_far.gaps = merged((self._past.gaps, window.gaps))
        counts = {name: sum(getattr(m, name) for m in self._latest.values()) for name in _COUNTS}
        watched_seconds = min(WINDOW_SECONDS, max(elapsed_seconds, 1.0))
        return Progress(
            elapsed_seconds=elapsed_seconds,
            stage="",
            workers_alive=0,
            **_percentiles(window),
            **{f"run_{name}": value for name, value in _percentiles(so_far).items()},
            goodput=sum(second.good for second in self._seconds) / watched_seconds,
            counted_at_seconds=self._counted_at(elapsed_seconds - now_seconds),
            live_values=tuple(_measured(o, so_far, counts, elapsed_seconds) for o in self._objectives),
            **counts,
        )

    def _counted_at(self, elapsed_minus_now_seconds: float) -> float:
        times = self._latest_at.values()
        return sum(times) / len(times) + elapsed_minus_now_seconds if times else 0.0

    def _forget(self, second: _Second) -> None:
        """Let a second leave the window; the run remembers it."""
        self._past.ttft.merge(second.ttft)
        self._past.gaps.merge(second.gaps)

    def _second(self, at: int) -> _Second:
        if not self._seconds or self._seconds[-1].at != at:
            self._seconds.append(_Second(at))
        return self._seconds[-1]


def merged(histograms: Iterable[LogHistogram]) -> LogHistogram:
    """Return one histogram of all."""
    whole = LogHistogram()
    for histogram in histograms:
        whole.merge(histogram)
    return whole


def _percentiles(of: _Second) -> dict[str, Any]:
    return {
        "ttft_p50_seconds": of.ttft.quantile(0.5),
        "ttft_p99_seconds": of.ttft.quantile(0.99),
        "gap_p50_seconds": of.gaps.quantile(0.5),
        "gap_p99_seconds": of.gaps.quantile(0.99),
    }


def _measured(
    objective: Objective, so_far: _Second, counts: Mapping[str, int], elapsed_seconds: float
) -> float:
    """Return what an objective over the whole run measures so far, nan where that cannot be told.

    Failures count as infinitely slow, as in the verdict. Of the requests that are still open, TTFT has those
    whose first token has come.
    """
    ended = counts["completed"]
    if objective.stages or not ended:
        return math.nan
    if objective.metric == "ttft":
        return _ttft_so_far(so_far.ttft, objective.percentile or 0.0, counts["failed"] + counts["rejected"])
    if objective.metric == "itl":
        return so_far.gaps.quantile((objective.percentile or 0.0) / 100)
    told = {
        "error_share": counts["failed"] / ended,
        "shed_share": counts["rejected"] / ended,
        "attainment": counts["good"] / ended,
        "goodput": counts["good"] / max(elapsed_seconds, 1.0),
    }
    return told.get(objective.metric, math.nan)


def _ttft_so_far(ttft: LogHistogram, percentile: float, failures: int) -> float:
    rank = max(1, math.ceil(percentile / 100 * (ttft.count + failures) - 1e-9))
    return ttft.value_at_rank(rank) if rank <= ttft.count else math.inf


def _parts(told: Sparse) -> tuple[list[int], list[int], int]:
    return told.buckets, told.counts, told.max_ns


class _Second:
    """What the messages of some time brought: of one second, or of all that are past."""

    __slots__ = ("at", "gaps", "good", "ttft")

    def __init__(self, at: int) -> None:
        self.at = at
        self.ttft, self.gaps = LogHistogram(), LogHistogram()
        self.good = 0
