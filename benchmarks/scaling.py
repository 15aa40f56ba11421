"""Whether a request costs the same whoever sends it: the same load with 1, 2 and 4 worker processes.

``python -m benchmarks.scaling [RATE] [SECONDS]``. Processor time per request, summed over the workers. Where
it does not rise with their number, workers add up until the cores are used up; the wall-clock rate itself can
only be seen on a machine with a core for each worker beside those of the server.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import say
from harness.load.session import Crew, drive
from harness.measure.records import read_records
from harness.measure.worker_report import read_worker_reports
from harness.scenario.model import Scenario

WORKERS = (1, 2, 4)
TIMETABLE = "ttft=20ms,gap=10ms,tokens=16"


@contextmanager
def golden(folder: Path) -> Iterator[str]:
    """Run the golden target and yield its URL."""
    port_file = folder / "port"
    command = [sys.executable, "-m", "harness.calibrate.golden", "--timetable", TIMETABLE]
    server = subprocess.Popen([*command, "--port-file", str(port_file), "--log", str(folder)])
    try:
        while not (port_file.exists() and port_file.read_text().strip()):
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port_file.read_text().split()[0]}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def scenario_at(url: str, rate: float, seconds: float) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "scaling",
            "target": {"url": url, "model": "m"},
            "workload": {"prompt_tokens": 32, "output_tokens": 16},
            "stages": [{"name": "steady", "duration": seconds, "rate": f"{rate:g}/s"}],
            "max_in_flight": 100_000,
        }
    )


def measure(scenario: Scenario, workers: int) -> tuple[float, float, float]:
    """Return (processor microseconds per request, p99 of the schedule delay in ms, share that succeeded)."""
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder)
        driven = drive(scenario, f"scaling-{workers}", run_dir, Crew(workers), lambda _progress: None)
        assert not driven.problems, driven.problems
        records, reports = read_records(run_dir), read_worker_reports(run_dir)
    cpu_seconds = sum(report.cpu_seconds for report in reports)
    delays = sorted(records.schedule_delay_seconds)
    late_p99_ms = float(delays[int(0.99 * len(delays))] * 1e3)
    return cpu_seconds / len(records) * 1e6, late_p99_ms, float(records.ok.mean())


def main() -> None:
    rate = float(sys.argv[1]) if len(sys.argv) > 1 else 1000.0
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    with tempfile.TemporaryDirectory() as folder, golden(Path(folder)) as url:
        scenario = scenario_at(url, rate, seconds)
        alone = None
        for workers in WORKERS:
            cost, late_p99_ms, ok = measure(scenario, workers)
            alone = alone or cost
            say(f"cpu_per_request_{workers}_workers", cost, "µs", "one worker", alone)
            say(f"send_late_p99_{workers}_workers", late_p99_ms, "ms", "limit of a valid run", 5.0)
            say(f"succeeded_{workers}_workers", ok, "share", "all", 1.0)
    print(f"cores here: {len(os.sched_getaffinity(0))}, shared with the target", file=sys.stderr)


if __name__ == "__main__":
    main()
