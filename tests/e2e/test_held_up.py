"""A worker that stands still for 20 ms now and then still tells when tokens came: the kernel stamps them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from harness.assess import assess
from harness.calibrate.golden.running import golden
from harness.calibrate.golden.truth import Truth
from harness.load.session import Crew
from harness.measure.records import Records
from harness.measure.worker_report import read_worker_reports
from harness.report.run_folder import Report
from harness.run import RunOptions, run_scenario
from harness.scenario.model import Scenario
from tests.e2e.servers import wait_for_worker

HOLD_SECONDS, EVERY_SECONDS = 0.02, 0.1
RATE_PER_SECOND, SECONDS = 200, 5
TOLERANCE_NS = 500_000


@pytest.fixture
def run(tmp_path: Path):
    def run(timetable: str) -> tuple[Report, Records, Truth]:
        with golden(timetable) as target, _held_up_now_and_then():
            run_dir, report = run_scenario(
                _scenario(target.url), RunOptions(tmp_path, Crew(1)), _ignore, _ignore
            )
            return report, assess(run_dir)[1], target.stop()

    return run


def test_ttft_is_that_of_the_wire_where_a_read_holds_one_token(run, tmp_path: Path) -> None:
    """A fifth of the answers come while it stands: by its own clock each would be up to 20 ms late."""
    report, records, truth = run("ttft=37ms,tokens=1")
    [worker] = read_worker_reports(tmp_path / report.run_id)
    zero_ns = worker.start_wall_ns - worker.clock.wall_minus_monotonic_start_ns
    rows = truth.rows_of(records.trace_id.to_pylist())
    late_ns = records.first_token_ns + zero_ns - truth.first_write_ns[rows]
    assert len(late_ns) == RATE_PER_SECOND * SECONDS
    assert np.quantile(np.abs(late_ns), 0.99) <= TOLERANCE_NS
    assert worker.loop_lag.quantile(0.95) > HOLD_SECONDS / 2  # it did stand
    assert worker.reception is not None
    assert (worker.reception.stamped_share, worker.reception.shared_token_reads) == (1.0, 0)


def test_reads_that_hold_several_tokens_are_counted(run) -> None:
    """Of 20 tokens in 100 ms 16 come alone and 4 in the one read after a hold: 1 read of 17 is shared."""
    report, records, truth = run("ttft=37ms,gap=5ms,tokens=40")
    assert records.output_tokens.tolist() == [40] * len(truth)
    reception = report.summary.generator.reception
    assert reception is not None
    assert 0.5 / 17 < reception.shared_share < 2 / 17


@contextmanager
def _held_up_now_and_then() -> Iterator[None]:
    ended = threading.Event()
    thread = threading.Thread(target=_hold_up, args=(ended,))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _hold_up(ended: threading.Event) -> None:
    worker = wait_for_worker(os.getpid())
    try:
        while not ended.wait(EVERY_SECONDS - HOLD_SECONDS):
            os.kill(worker, signal.SIGSTOP)
            time.sleep(HOLD_SECONDS)
            os.kill(worker, signal.SIGCONT)
    except ProcessLookupError:
        return  # the run is over


def _scenario(url: str) -> Scenario:
    stage = {"name": "only", "duration": SECONDS, "rate": f"{RATE_PER_SECOND}/s", "arrivals": "constant"}
    return Scenario.model_validate(
        {
            "name": "held-up",
            "target": {"url": url},
            "workload": {"prompt_tokens": 8, "output_tokens": 40},
            "stages": [stage],
            "drain": 5.0,
        }
    )


def _ignore(_told: object) -> None: ...
