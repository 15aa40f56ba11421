"""Live progress: what each worker sends twice a second, and the sum that the master shows."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.load.engine import Engine
from harness.measure.histogram import LogHistogram
from harness.measure.record import Outcome, RequestRecord
from harness.scenario.model import Scenario

WINDOW_SECONDS = 5.0
_COUNTS = ("offered", "sent", "completed", "in_flight", "failed", "rejected")


@dataclass(frozen=True, slots=True)
class Progress:
    """The run as it stands. TTFT is from the due time, over answers of the last 5 s; nan while there is none.

    ``completed`` counts every arrival that has ended, ``failed`` those that ended in neither an answer nor a
    refusal (429, 503).
    """

    elapsed_seconds: float
    stage: str
    offered: int
    sent: int
    completed: int
    in_flight: int
    failed: int
    rejected: int
    ttft_p50_seconds: float
    ttft_p99_seconds: float
    workers_alive: int


class ProgressReporter:
    """A worker's side: ``message`` returns the counts so far and the TTFTs since the last message."""

    def __init__(self, engine: Engine, worker: int) -> None:
        self._engine = engine
        self._worker = worker
        self._recent = LogHistogram()
        engine.listeners.append(self._take)

    def message(self) -> dict[str, Any]:
        """Return the next message to the master."""
        stats = self._engine.stats()
        recent, self._recent = self._recent, LogHistogram()
        good, rejected = stats.completed[Outcome.OK], stats.completed[Outcome.REJECTED]
        return {
            "worker": self._worker,
            "offered": stats.offered,
            "sent": stats.sent + stats.in_flight,  # the count is of ended requests
            "completed": stats.recorded,
            "in_flight": stats.in_flight,
            "failed": stats.recorded - good - rejected,
            "rejected": rejected,
            "ttft": recent.to_dict(),
        }

    def _take(self, records: Sequence[RequestRecord]) -> None:
        for record in records:
            if record.first_token_ns is not None:
                self._recent.add(record.first_token_ns - record.intended_ns)


class ProgressBoard:
    """The master's side: sums the newest message of each worker."""

    def __init__(self, scenario: Scenario) -> None:
        self._names = [stage.name for stage in scenario.stages]
        self._starts = scenario.stage_starts_seconds()
        self._latest: dict[int, Mapping[str, Any]] = {}
        self._recent: deque[tuple[float, LogHistogram]] = deque()

    def take(self, message: Mapping[str, Any], now_seconds: float) -> None:
        """Take a worker's message, received at ``now_seconds``."""
        self._latest[message["worker"]] = message
        self._recent.append((now_seconds, LogHistogram.from_dict(message["ttft"])))

    def read(self, elapsed_seconds: float, now_seconds: float, workers_alive: int) -> Progress:
        """Return the sum as of now."""
        while self._recent and self._recent[0][0] < now_seconds - WINDOW_SECONDS:
            self._recent.popleft()
        ttft = LogHistogram()
        for _, histogram in self._recent:
            ttft.merge(histogram)
        counts = {name: sum(m[name] for m in self._latest.values()) for name in _COUNTS}
        return Progress(
            elapsed_seconds=max(0.0, elapsed_seconds),
            stage=self._names[max(0, bisect_right(self._starts, elapsed_seconds) - 1)],
            ttft_p50_seconds=ttft.quantile(0.5),
            ttft_p99_seconds=ttft.quantile(0.99),
            workers_alive=workers_alive,
            **counts,
        )
