from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.arrivals import build_plan
from harness.errors import TidegateError, UsageError
from harness.load.session import Crew, Progress, drive, measure_capacity
from harness.measure.records import Records, read_records
from harness.measure.worker_report import read_worker_reports
from harness.scenario.model import Scenario
from tests.harness.load.servers import Asked, Server, free_port, good, silent, slow_stream

WORKER = ("harness.load.worker", "--master-port")


def scenario(url: str, rate: str = "100/s", seconds: float = 1.0, **more: Any) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "test",
            "target": {"url": url, "model": "m", **more.pop("target", {})},
            "workload": {"prompt_tokens": 8, "output_tokens": 3},
            "stages": [{"name": "only", "duration": seconds, "rate": rate}],
            "drain": 2.0,
            **more,
        }
    )


def run(plan: Scenario, run_dir: Path, workers: int = 1, **options: Any) -> tuple[Any, Records]:
    crew = options.pop("crew", Crew(workers))
    result = drive(plan, "run-1", run_dir, crew, options.pop("on_progress", lambda _: None), **options)
    return result, read_records(run_dir)


def workers_of_this_process() -> list[int]:
    mine = f"/proc/self/task/{os.getpid()}/children"
    return [int(pid) for pid in Path(mine).read_text().split()]


def test_workers_together_record_every_arrival_once(tmp_path: Path) -> None:
    seen: list[Progress] = []
    with Server(slow_stream(0.01, 0.01, 3)) as server:
        plan = scenario(server.url)
        result, records = run(plan, tmp_path, workers=2, on_progress=seen.append, record_gaps=True)
    arrivals = build_plan(plan)
    assert (result.aborted, result.workers_lost) == (False, 0)
    assert records.seq.tolist() == arrivals.seq.tolist()
    assert records.ok.all()
    assert set(records.worker.tolist()) == {0, 1}
    first, second = read_worker_reports(tmp_path)
    assert first.start_wall_ns == second.start_wall_ns
    assert first.planned + second.planned == first.recorded + second.recorded == len(arrivals)
    assert first.loop_lag.count > 50
    assert seen[-1].completed == len(arrivals)
    assert seen[-1].workers_alive == 2
    assert not workers_of_this_process()
    gaps = pq.read_table(tmp_path / "records-0.parquet")["gaps_ns"].to_pylist()
    assert all(len(row) == 2 for row in gaps)
    assert {path.name.split("-")[0] for path in tmp_path.iterdir()} == {"records", "worker"}


def test_a_stop_is_orderly_and_leaves_a_record_for_every_arrival(tmp_path: Path) -> None:
    seen: list[Progress] = []
    with Server(silent) as server:
        plan = scenario(server.url, "20/s", 30.0)
        result, records = run(
            plan, tmp_path, on_progress=seen.append, stop=lambda: bool(seen) and seen[-1].in_flight > 5
        )
    assert result.aborted
    assert len(records) == len(build_plan(plan))
    assert not records.ok.any()
    assert 0 < sum(records.sent_ns >= 0) < len(records)


def test_ctrl_c_is_an_orderly_stop(tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.elapsed_seconds > 0.5 and not done:
            done.append(True)
            signal.raise_signal(signal.SIGINT)

    done: list[bool] = []
    before = signal.getsignal(signal.SIGINT)
    with Server(good) as server:
        plan = scenario(server.url, "20/s", 30.0)
        result, records = run(plan, tmp_path, on_progress=interrupt)
    assert result.aborted
    assert len(records) == len(build_plan(plan))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_worker_that_dies_is_counted_and_its_records_are_missing(tmp_path: Path) -> None:
    def kill_one(progress: Progress) -> None:
        if progress.elapsed_seconds > 0.3 and not killed:
            killed.append(workers_of_this_process()[0])
            os.kill(killed[0], signal.SIGKILL)

    killed: list[int] = []
    with Server(good) as server:
        plan = scenario(server.url, seconds=1.5)
        result, records = run(plan, tmp_path, workers=2, on_progress=kill_one)
    assert (result.aborted, result.workers_lost) == (False, 1)
    assert 0 < len(records) < len(build_plan(plan))
    assert len(read_worker_reports(tmp_path)) == 1


def test_a_frozen_worker_goes_on_and_the_freeze_shows(tmp_path: Path) -> None:
    frozen: list[float] = []

    def freeze(progress: Progress) -> None:
        [pid] = workers_of_this_process() or [0]
        if not frozen and progress.elapsed_seconds > 0.5:
            frozen.append(time.monotonic())
            os.kill(pid, signal.SIGSTOP)
        elif len(frozen) == 1 and time.monotonic() > frozen[0] + 1.0:
            frozen.append(time.monotonic())
            os.kill(pid, signal.SIGCONT)

    with Server(good) as server:
        plan = scenario(server.url, seconds=3.0)
        result, records = run(plan, tmp_path, on_progress=freeze)
    assert (result.aborted, result.workers_lost) == (False, 0)
    assert len(records) == len(build_plan(plan))
    assert records.schedule_delay_seconds.max() > 0.8
    [report] = read_worker_reports(tmp_path)
    assert report.loop_lag.max_seconds > 0.8
    assert report.loop_lag.quantile(0.99) > 0.5


def test_a_mistake_that_a_worker_finds_is_the_masters_error(tmp_path: Path) -> None:
    plan = scenario("http://127.0.0.1:1", target={"api_key_env": "TIDEGATE_NO_SUCH_KEY"})
    with pytest.raises(UsageError, match="TIDEGATE_NO_SUCH_KEY"):
        run(plan, tmp_path)
    assert not workers_of_this_process()


def test_workers_that_join_send_what_they_wrote_elsewhere_and_keep_nothing(tmp_path: Path) -> None:
    port, scratch, run_dir = free_port(), tmp_path / "scratch", tmp_path / "run"
    scratch.mkdir()
    run_dir.mkdir()
    joining = ["-m", "harness.load.worker", "--master-port", str(port), "--scratch", str(scratch)]
    worker = subprocess.Popen([sys.executable, *joining])
    with Server(good) as server:
        plan = scenario(server.url)
        result, records = run(plan, run_dir, crew=Crew(0, joining=1, bind=("127.0.0.1", port)))
    assert (result.workers_lost, result.problems) == (0, ())
    assert records.seq.tolist() == build_plan(plan).seq.tolist()
    assert len(read_worker_reports(run_dir)) == 1
    assert worker.wait(10) == 0
    assert not list(scratch.iterdir())
    assert {path.name for path in run_dir.iterdir()} == {"records-0.parquet", "worker-0.json"}


AHEAD = """
import sys, time
from pathlib import Path
from harness.load.worker import main
from harness.load.worker_side import WorkerOptions

ahead_ns = 3_000_000_000
sys.exit(main(["--master-port", sys.argv[1]], WorkerOptions(None, lambda: time.time_ns() + ahead_ns)))
"""


def test_workers_whose_clocks_differ_by_seconds_start_together(tmp_path: Path) -> None:
    port = free_port()
    joining = [sys.executable, "-c", AHEAD, str(port)]
    workers = [subprocess.Popen(joining), subprocess.Popen([sys.executable, "-m", *WORKER, str(port)])]
    heard: list[float] = []

    async def noting(asked: Asked) -> None:
        heard.append(time.monotonic())
        await good(asked)

    with Server(noting) as server:
        plan = scenario(server.url, "50/s")
        result, records = run(plan, tmp_path, crew=Crew(0, joining=2, bind=("127.0.0.1", port)))
    assert [worker.wait(10) for worker in workers] == [0, 0]
    assert result.problems == ()
    assert records.ok.all()
    assert heard[-1] - heard[0] < 1.5  # the load of 1 s; uncorrected it would take 4 s
    clocks = [report.master_clock for report in read_worker_reports(tmp_path)]
    offsets_seconds = sorted(clock.start.offset_ns / 1e9 for clock in clocks if clock is not None)
    assert offsets_seconds == pytest.approx([0, 3], abs=0.05)
    for clock in clocks:
        assert clock is not None
        assert abs(clock.start.offset_ns - round(clock.start.offset_ns, -9)) <= clock.start.uncertainty_ns
        assert clock.drift_ns is not None
        assert abs(clock.drift_ns) <= clock.start.uncertainty_ns * 2 + 50_000_000
    starts = {report.start_wall_ns for report in read_worker_reports(tmp_path)}
    assert len(starts) == 1  # on the master's clock


def test_capacity_is_what_the_server_can_do_for_that_many_users() -> None:
    with Server(slow_stream(0.1, 0.0, 1)) as server:
        plan = scenario(server.url, capacity={"concurrency": 4, "duration": 1.0})
        found = measure_capacity(plan)
    assert found.requests_per_second == pytest.approx(40, rel=0.2)  # 4 users, 0.1 s each
    assert (found.concurrency, found.seconds) == (4, pytest.approx(1.0, abs=0.1))


def test_a_probe_whose_requests_fail_is_an_error(free_port: int) -> None:
    plan = scenario(f"http://127.0.0.1:{free_port}", capacity={"concurrency": 2, "duration": 0.2})
    with pytest.raises(TidegateError, match="ECONNREFUSED"):
        measure_capacity(plan)
