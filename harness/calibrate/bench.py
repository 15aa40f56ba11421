"""One run of the harness as it is against a golden target: the run's folder here, the truth there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.assess import assess
from harness.calibrate.golden.running import golden
from harness.calibrate.golden.truth import Truth
from harness.load.session import Crew, DriveResult, Progress, drive
from harness.measure.records import Records
from harness.measure.worker_report import read_worker_reports
from harness.report.run_folder import Report
from harness.run import run_load
from harness.scenario.model import Scenario

_GRACE_SECONDS = 1.0
_MAX_IN_FLIGHT = 15_000
_MAX_GOLDEN_PROCESSES = 4


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: ``rates`` in requests per second, each for ``seconds``, and the target's timetable.

    What has not been answered ``drain_seconds`` after the last of them is cancelled.
    """

    rates: Sequence[float]
    seconds: float
    timetable: str
    max_tokens: int
    drain_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A run as the harness judged it, its records, and what really happened.

    The records' instants count from ``zero_ns``, which is on the same clock as the truth's.
    """

    report: Report
    records: Records
    truth: Truth
    zero_ns: int


@dataclass(frozen=True, slots=True)
class Bench:
    """How the cores are shared: ``target_cores`` for the golden target, all others for the harness.

    Empty where there is but one core: the two then share it, and the floor says what that costs.
    """

    target_cores: tuple[int, ...]

    def measure(self, load: Load) -> Measured:
        """Run the load with one worker, and judge it."""
        processes = max(1, len(self.target_cores))
        with tempfile.TemporaryDirectory(prefix="tidegate-calibrate-") as folder:
            with golden(load.timetable, processes=processes, cores=self.target_cores) as target:
                scenario = scenario_of(load, target.url)
                run_dir = run_load(scenario, Path(folder), _silent, _silent, drive_in_time)
            report, records = assess(run_dir)
            return Measured(report, records, target.stop(), _zero_ns(run_dir))


@contextmanager
def opened_bench() -> Iterator[Bench]:
    """Give the golden target some cores, keep this process and its workers on the others, and undo it."""
    before = os.sched_getaffinity(0)
    cores = sorted(before)
    target_cores = tuple(cores[: min(len(cores) // 2, _MAX_GOLDEN_PROCESSES)])
    os.sched_setaffinity(0, before - set(target_cores))
    try:
        yield Bench(target_cores)
    finally:
        os.sched_setaffinity(0, before)


def scenario_of(load: Load, url: str) -> Scenario:
    """Return the load as a scenario: one stage a rate, at constant intervals."""
    stages = [
        {"name": f"rung-{index}", "duration": load.seconds, "rate": f"{rate:.6f}/s", "arrivals": "constant"}
        for index, rate in enumerate(load.rates)
    ]
    return Scenario.model_validate(
        {
            "name": "calibrate",
            "target": {"url": url},
            "workload": {"prompt_tokens": 32, "output_tokens": load.max_tokens},
            "max_in_flight": _MAX_IN_FLIGHT,
            "drain": load.drain_seconds,
            "stages": stages,
        }
    )


def drive_in_time(
    scenario: Scenario, run_id: str, run_dir: Path, _watch: Callable[[Progress], None]
) -> DriveResult:
    """Drive with one worker, and end what has not ended soon after its last stage: that rate was too much."""
    elapsed_seconds = 0.0

    def look(progress: Progress) -> None:
        nonlocal elapsed_seconds
        elapsed_seconds = progress.elapsed_seconds

    longest = scenario.duration_seconds + scenario.drain + _GRACE_SECONDS
    return drive(scenario, run_id, run_dir, Crew(1), look, stop=lambda: elapsed_seconds > longest)


def _zero_ns(run_dir: Path) -> int:
    [worker] = read_worker_reports(run_dir)
    return worker.start_wall_ns - worker.clock.wall_minus_monotonic_start_ns


def _silent(_told: object) -> None:
    """Take a sentence or a progress for nobody."""
