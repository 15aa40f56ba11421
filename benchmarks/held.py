"""Many streams held open against golden targets, through the harness itself: shared by three benchmarks."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.calibrate.golden.running import golden
from harness.load.session import Crew, Progress
from harness.measure.summary import Summary
from harness.preflight.judge import processes_for
from harness.preflight.machine import read_limits
from harness.run import RunOptions, run_scenario
from harness.scenario.model import Limits, Rate, Scenario, Stage, Target, WorkloadSpec

SOURCES = "127.0.1.0/24"


@dataclass
class Held:
    """What a run left, and what of the target was seen from outside while it went on."""

    summary: Summary
    processes: int
    target_bytes_per_stream: float

    @property
    def failed(self) -> int:
        whole = self.summary.whole
        return whole.offered - whole.ok


@dataclass
class TargetMemory:
    """The resident memory of the target's processes, before the load and at its peak."""

    pids: tuple[int, ...]
    before_bytes: int = 0
    peak_bytes: int = 0
    open_at_peak: int = 0
    seen: int = 0

    def __post_init__(self) -> None:
        self.before_bytes = resident_bytes(self.pids)

    def look(self, progress: Progress) -> None:
        self.seen += 1
        if progress.in_flight and progress.in_flight >= self.open_at_peak and self.seen % 4 == 0:
            self.open_at_peak, self.peak_bytes = progress.in_flight, resident_bytes(self.pids)

    @property
    def bytes_per_stream(self) -> float:
        if not self.open_at_peak:
            return math.nan
        return (self.peak_bytes - self.before_bytes) / self.open_at_peak


def run(scenario: Scenario, timetable: str, workers: int | None) -> Held:
    """Run ``scenario`` against as many golden processes as its streams need; ``workers`` None: auto."""
    processes = processes_for(scenario.max_in_flight, read_limits(scenario.target))
    with golden(timetable, processes=processes) as running:
        return against(scenario, running.url, workers, running.pids)


def against(scenario: Scenario, url: str, workers: int | None, pids: tuple[int, ...] = ()) -> Held:
    """Run ``scenario`` against the target at ``url``, whose processes are ``pids``.

    All ask the same, so that making questions up is not what is measured.
    """
    memory = TargetMemory(pids)
    with tempfile.TemporaryDirectory() as name:
        question = Path(name) / "hello.jsonl"
        question.write_text('{"prompt": "Tell me the state of the tide, a little at a time."}\n')
        aimed = scenario.target.model_copy(update={"url": url, "model": "golden"})
        asking = scenario.workload.model_copy(update={"prompts_file": question})
        here = scenario.model_copy(update={"target": aimed, "workload": asking})
        options = RunOptions(Path(name), Crew(workers or 1), auto_workers=workers is None)
        _, report = run_scenario(here, options, note=lambda _: None, watch=memory.look)
    return Held(report.summary, len(pids), memory.bytes_per_stream)


def held(streams: int, open_seconds: float, hold_seconds: float, gap_seconds: float) -> tuple[Scenario, str]:
    """Return a scenario that opens all streams by the clock, and the timetable that holds them open."""
    tokens = round(hold_seconds / gap_seconds) + 1
    rate = Rate(streams / open_seconds)
    scenario = Scenario(
        name="held",
        target=target(hold_seconds + 120),
        workload=WorkloadSpec(output_tokens=tokens),
        max_in_flight=streams,
        drain=hold_seconds + 60,
        trace_sample_share=0.0,
        stages=(Stage(name="opening", duration=open_seconds, rate=rate, arrivals="constant"),),
        limits=Limits(schedule_delay_p99=60.0, loop_lag_p99=60.0),
    )
    return scenario, f"ttft=0ms,gap={gap_seconds:g}s"


def target(request_timeout: float) -> Target:
    return Target(
        connection="close",
        source_addresses=SOURCES,
        connect_timeout=30.0,
        read_timeout=200.0,
        request_timeout=request_timeout,
    )


def resident_bytes(pids: Iterable[int]) -> int:
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * 4096
