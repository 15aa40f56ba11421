"""One worker's part of a run: everything built from the scenario, driven, and written to the run's folder."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.arrivals import build_plan
from harness.load.metrics_page import MetricsPage
from harness.load.open_engine import Slice, open_engine
from harness.load.peak_watch import PeakWatch
from harness.load.quiet_gc import quiet_gc
from harness.load.sink import RecordSink
from harness.measure.worker_report import Clock, WorkerReport
from harness.scenario.model import Scenario
from harness.workload import build_workload

SWITCH_INTERVAL_SECONDS = 0.0005
"""How long a writing thread may hold the interpreter while the loop waits for it (Python's default: 5 ms)."""


@dataclass(frozen=True, slots=True)
class SliceOptions:
    """Which part of which run this is. ``metrics_port``: where this worker serves its own metrics page.

    ``wall_ns`` is this machine's wall clock, a parameter so that a test can set it wrong.
    """

    run_id: str
    run_dir: Path
    worker: int
    workers: int
    record_gaps: bool = False
    metrics_port: int | None = None
    wall_ns: Callable[[], int] = time.time_ns


class SliceRun:
    """Prepared by its construction, begun by ``start``, and complete when ``wait`` returns.

    Raises UsageError or TargetUnreachableError while it is prepared. Lives in a greenlet, not in the hub.
    """

    def __init__(self, scenario: Scenario, options: SliceOptions) -> None:
        raise_descriptor_limit()
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        self._options = options
        self._plan = build_plan(scenario).slice_for(options.worker, options.workers)
        limit = share_of(scenario.max_in_flight, options.worker, options.workers)
        self._sink = RecordSink(options.run_dir / f"records-{options.worker}.parquet")
        asks = build_workload(scenario)
        part = Slice(options.run_id, options.worker, self._plan, asks, limit, options.record_gaps)
        self.engine = open_engine(scenario, part, self._sink.add)
        self._peak_watch = PeakWatch(lambda: self.engine.stats().in_flight)
        self._start_wall_ns = 0
        self._clock_start_ns = 0
        self._started = (0.0, 0.0)
        self._page = self._open_page(scenario)

    @property
    def planned(self) -> int:
        """How many arrivals this slice has."""
        return len(self._plan)

    def start(self, start_wall_ns: int, offset_ns: int = 0) -> None:
        """Begin; the run's zero is ``start_wall_ns`` on the master's wall clock, the same for all workers.

        ``offset_ns`` is how far this machine's wall clock is ahead of the master's.
        """
        self._start_wall_ns = start_wall_ns
        self._clock_start_ns = self._wall_minus_monotonic_ns()
        self._started = time.process_time(), time.monotonic()
        self._peak_watch.begin()
        if self._page is not None:
            self._page.start(start_wall_ns)
        self.engine.start(start_wall_ns + offset_ns - self._clock_start_ns)

    def stop(self) -> None:
        """End early: what is open or not yet due becomes CANCELLED."""
        self.engine.stop()

    def wait(self) -> WorkerReport:
        """Wait for the last record, write both files, and return the report."""
        with quiet_gc():
            self.engine.finished.wait()
        self._sink.close()
        report = self._report()
        report.write(self._options.run_dir)
        if self._page is not None:
            self._page.close()
        return report

    def _report(self) -> WorkerReport:
        cpu_seconds, began = self._started
        stats = self.engine.stats()
        return WorkerReport(
            worker=self._options.worker,
            start_wall_ns=self._start_wall_ns,
            planned=self.planned,
            recorded=self._sink.recorded,
            sent=stats.sent,
            loop_lag=self.engine.loop_lag,
            itl=self.engine.itl,
            clock=Clock(self._clock_start_ns, self._wall_minus_monotonic_ns()),
            cpu_seconds=time.process_time() - cpu_seconds,
            elapsed_seconds=time.monotonic() - began,
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            reconnects=stats.reconnects,
            spoiled=tuple(self._spoiled()),
            peak=self._peak_watch.end(),
            reception=self.engine.reception,
        )

    def _wall_minus_monotonic_ns(self) -> int:
        return self._options.wall_ns() - time.monotonic_ns()

    def _spoiled(self) -> list[str]:
        spoiled = []
        if self.engine.fault is not None:
            spoiled.append(f"engine failed: {self.engine.fault!r}")
        if self._sink.failure is not None:
            spoiled.append(f"sink failed: {self._sink.failure} ({self._sink.lost} records lost)")
        return spoiled

    def _open_page(self, scenario: Scenario) -> MetricsPage | None:
        port = self._options.metrics_port
        if port is None:
            return None
        return MetricsPage(scenario, self._options.run_id, port, self.engine, self._sink)


def share_of(total: int, worker: int, workers: int) -> int:
    """Return worker ``worker``'s part of ``total``; the parts add up to it, but none is below 1."""
    return max(1, total // workers + (1 if worker < total % workers else 0))


def raise_descriptor_limit() -> None:
    """Allow this process as many open files as the system lets it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
