"""One master and two workers on hosts of their own: nothing is shared but the network."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.measure.records import read_records
from harness.measure.worker_report import read_worker_reports
from tests.e2e.hosts import Network, network, why_not
from tests.e2e.servers import BIN, only_run, reference_target
from tests.harness.load.servers import free_port

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

SCENARIO = """
name: two-hosts
workload: {{prompt_tokens: 8, output_tokens: 4}}
drain: 5s
stages: [{{name: only, duration: {seconds}s, rate: 100/s, arrivals: constant}}]
slos: [{{name: few-errors, metric: error_share, at_most: 20%}}]
limits: {{schedule_delay_p99: 500ms, loop_lag_p99: 500ms, clock_uncertainty: 500ms}}
"""
ALONE = [sys.executable, "-m", "harness.load.worker"]
"""The worker's process itself: what is killed is what sends."""


@pytest.fixture(scope="module")
def lan() -> Iterator[Network]:
    with network(2) as made:
        yield made


LOCUST = [str(BIN / "locust"), "-f", str(Path(__file__).parents[2] / "harness" / "load" / "locustfile.py")]


class Run:
    """A master here, and on each host the command ``worker``, told where the master is."""

    def __init__(
        self, lan: Network, folder: Path, url: str, seconds: int, worker: list[str], *, plain: bool = False
    ) -> None:
        (folder / "two.yaml").write_text(SCENARIO.format(seconds=seconds))
        self.runs = folder / "runs"
        self.runs.mkdir()
        port = str(free_port())
        master = self._plain(lan.address, port, url) if plain else self._tidegate(lan.address, port, url)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self._master = subprocess.Popen(master, cwd=folder, **pipes)
        join = [*worker, "--master-host", lan.address, "--master-port", port]
        self.workers = [host.start(join, self.runs, folder / f"{host.name}.log") for host in lan.hosts]

    def _tidegate(self, address: str, port: str, url: str) -> list[str]:
        command = [str(BIN / "tidegate"), "run", "two.yaml", "--target", url, "--runs-dir", str(self.runs)]
        return [*command, "--master", "--bind", f"{address}:{port}", "--expect-workers", "2"]

    def _plain(self, address: str, port: str, url: str) -> list[str]:
        command = [*LOCUST, "--scenario", "two.yaml", "--host", url, "--runs-dir", str(self.runs)]
        command += ["--master", "--headless", "--expect-workers", "2"]
        return [*command, "--master-bind-host", address, "--master-bind-port", port]

    def wait_until_load_is_sent(self) -> None:
        until = time.monotonic() + 60
        while not list(self.runs.glob("*/.shared-*")) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(3)  # prepared, and some of the load is out

    def end(self) -> tuple[int, str]:
        output, _ = self._master.communicate(timeout=120)
        for worker in self.workers:
            worker.wait(30)
        return self._master.returncode, output


def target(lan: Network, folder: Path):  # type: ignore[no-untyped-def]
    arguments = ("--host", "0.0.0.0", "--engine", "scripted", "--timetable", "ttft=5ms,gap=2ms,slots=64")
    return reference_target(folder, *arguments)


def test_two_hosts_send_what_one_would_and_their_records_come_back_whole(
    lan: Network, tmp_path: Path
) -> None:
    with target(lan, tmp_path) as local_url:
        run = Run(
            lan,
            tmp_path,
            local_url.replace("127.0.0.1", lan.address),
            4,
            [str(BIN / "tidegate"), "run", "--worker"],
        )
        code, output = run.end()
    assert code == 0, output
    run_dir = only_run(run.runs)
    records = read_records(run_dir)
    assert records.seq.tolist() == list(range(400))
    assert records.ok.all()
    assert {w: int((records.worker == w).sum()) for w in (0, 1)} == {0: 200, 1: 200}
    for report in read_worker_reports(run_dir):
        assert report.planned == report.recorded == 200
        assert report.master_clock is not None
        assert report.master_clock.end is not None
        # One machine has one clock: the truth is 0, and the uncertainty must hold it.
        assert abs(report.master_clock.start.offset_ns) <= report.master_clock.start.uncertainty_ns
    assert not list(run_dir.glob("*.part"))
    assert "Clock of worker 1" in (run_dir / "report.html").read_text()
    assert [worker.returncode for worker in run.workers] == [0, 0]


def test_workers_of_plain_locust_on_other_hosts_send_their_records_too(lan: Network, tmp_path: Path) -> None:
    with target(lan, tmp_path) as local_url:
        url = local_url.replace("127.0.0.1", lan.address)
        run = Run(lan, tmp_path, url, 4, [*LOCUST, "--worker"], plain=True)
        code, output = run.end()
    assert code == 0, output
    run_dir = only_run(run.runs)
    assert read_records(run_dir).seq.tolist() == list(range(400))
    assert len(read_worker_reports(run_dir)) == 2
    assert "PASS: The one objective holds" in output


def test_a_worker_that_is_killed_makes_the_run_invalid_and_the_others_records_are_kept(
    lan: Network, tmp_path: Path
) -> None:
    with target(lan, tmp_path) as local_url:
        run = Run(lan, tmp_path, local_url.replace("127.0.0.1", lan.address), 10, ALONE)
        run.wait_until_load_is_sent()
        run.workers[1].send_signal(signal.SIGKILL)
        code, output = run.end()
    assert code == 4, output
    run_dir = only_run(run.runs)
    facts = json.loads((run_dir / "run.json").read_text())
    assert (facts["planned"], facts["workers_lost"]) == (1000, 1)
    [problem] = facts["problems"]
    lost = int(problem.split()[1])
    assert problem.startswith(f"worker {lost} on host-")
    assert problem.endswith(f"its records-{lost}.parquet and worker-{lost}.json are missing")
    records = read_records(run_dir)
    assert records.seq.tolist() == list(range(1 - lost, 1000, 2))  # the other's slice, whole
    reasons = json.loads((run_dir / "verdict.json").read_text())["reasons"]
    assert any(reason.startswith("records_lost: 500 of 1000") for reason in reasons)
    assert any(problem in reason for reason in reasons)
