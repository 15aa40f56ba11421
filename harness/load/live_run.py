"""One run as a page shows it: what is being done, how it goes, and what came of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.load.conductor import DriveResult
from harness.load.progress import Progress
from harness.scenario.model import Scenario
from harness.scenario.objective import Objective

HISTORY = 900
"""Seconds that the page's curves go back."""
_POINT_SECONDS = 0.9
"""Less than the workers' second, so that none of their messages waits for the one after."""

Drive = Callable[[Scenario, str, Path, Callable[[Progress], None]], DriveResult]


@dataclass(frozen=True, slots=True)
class ObjectiveState:
    """One objective as a row: all words and values are made by whoever judged."""

    name: str
    metric: str
    measured: str
    required: str
    status: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What came of a run. ``reasons``: why it is spoiled."""

    run_dir: Path
    verdict: str
    exit_code: int
    sentence: str
    reasons: tuple[str, ...] = ()
    objectives: tuple[ObjectiveState, ...] = ()


class Root(Protocol):
    """What stands above the load: a composition root gives it to those who start runs from inside Locust."""

    def run_load(
        self,
        scenario: Scenario,
        runs_dir: Path,
        note: Callable[[str], None],
        watch: Callable[[Progress], None],
        drive: Drive,
    ) -> Path:
        """Do all of a run but its conclusion; return its folder."""

    def run_users(
        self, scenario: Scenario, runs_dir: Path, watch: Callable[[Progress], None], drive: Drive
    ) -> Path:
        """The same for a locustfile's users, who go on until they are stopped."""

    def conclude(self, run_dir: Path) -> Conclusion:
        """Judge what lies in the folder, and write the reports. Called in a thread."""

    def so_far(self, objective: Objective, value: float) -> ObjectiveState:
        """Put an objective's live value (nan: it cannot be told yet) beside its threshold."""


@dataclass(frozen=True, slots=True)
class Point:
    """One second of the page's curves: rates per second; TTFT in seconds over the last 5 s."""

    at_seconds: float
    offered: float
    completed: float
    good: float
    ttft_p50: float
    ttft_p99: float
    backlog: int


@dataclass(slots=True)
class LiveRun:
    """``phase`` is a few words for people, empty while the conductor's own phase tells more."""

    phase: str = ""
    notes: list[str] = field(default_factory=list)
    scenario: Scenario | None = None
    run_id: str = ""
    progress: Progress | None = None
    history: deque[Point] = field(default_factory=lambda: deque(maxlen=HISTORY))
    conclusion: Conclusion | None = None
    error: str | None = None
    _newest: Progress | None = None

    @property
    def begun(self) -> bool:
        """Whether workers are being prepared, or more than that has happened."""
        return self.scenario is not None

    @property
    def exit_code(self) -> int:
        """The verdict's, once there is one."""
        return self.conclusion.exit_code if self.conclusion is not None else 0

    def note(self, sentence: str) -> None:
        """Take a sentence for people."""
        self.notes.append(sentence)
        self.phase = "finding the target's capacity"

    def began(self, scenario: Scenario, run_id: str) -> None:
        """The target answers, the scenario's rates are absolute, the workers are about to be prepared."""
        self.scenario, self.run_id = scenario, run_id
        self.phase = ""

    def watch(self, progress: Progress) -> None:
        """Take the newest progress; a point of the curves for each second."""
        self.progress = progress
        before = self._newest
        if before is None:
            self._newest = progress
        elif progress.counted_at_seconds - before.counted_at_seconds >= _POINT_SECONDS:
            self.history.append(_point(before, progress))
            self._newest = progress

    def conclude(self, conclusion: Conclusion) -> None:
        """Take the verdict."""
        self.conclusion = conclusion
        self.phase = "done"

    def give_up(self, reason: str) -> None:
        """There will be no verdict."""
        self.error = reason
        self.phase = "stopped"


def _point(before: Any, now: Progress) -> Point:
    seconds = now.counted_at_seconds - before.counted_at_seconds
    return Point(
        at_seconds=now.counted_at_seconds,
        offered=(now.offered - before.offered) / seconds,
        completed=(now.completed - before.completed) / seconds,
        good=(now.good - before.good) / seconds,
        ttft_p50=now.ttft_p50_seconds,
        ttft_p99=now.ttft_p99_seconds,
        backlog=now.backlog,
    )
