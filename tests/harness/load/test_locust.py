"""Plain Locust, as a person starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from harness.measure.record import Outcome
from harness.measure.records import Records, read_records
from harness.measure.worker_report import read_worker_reports
from tests.harness.load.servers import GOOD, Asked, Server, free_port, good, slow_stream

ROOT = Path(__file__).parents[3]
LOCUSTFILE = ROOT / "harness" / "load" / "locustfile.py"
SCENARIO = """
name: plain
target: {model: m}
workload: {prompt_tokens: 8, output_tokens: 3}
drain: 2s
stages: [{name: only, duration: 1s, rate: 60/s, arrivals: constant}]
slos: [{name: few-errors, metric: error_share, at_most: 50%}]
limits: {schedule_delay_p99: 500ms, loop_lag_p99: 500ms, clock_uncertainty: 500ms}
"""


def locust(folder: Path, *arguments: str, scenario: str = SCENARIO) -> subprocess.Popen[str]:
    (folder / "plain.yaml").write_text(scenario)
    common = ["-f", str(LOCUSTFILE), "--scenario", "plain.yaml", "--runs-dir", "runs"]
    return subprocess.Popen(
        [sys.executable, "-m", "locust", *common, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def only_run(folder: Path) -> tuple[Path, Records]:
    [run_dir] = (folder / "runs").iterdir()
    return run_dir, read_records(run_dir)


def test_headless_locust_runs_the_scenario_and_ends_by_itself(tmp_path: Path) -> None:
    with Server(good) as server:
        process = locust(tmp_path, "--headless", "--host", server.url, "--json")
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    run_dir, records = only_run(tmp_path)
    assert len(records) == 60
    assert records.ok.all()
    assert '"num_requests": 60' in output
    assert json.loads((run_dir / "verdict.json").read_text())["kind"] == "PASS"
    assert "PASS: The one objective holds" in output
    assert (run_dir / "report.html").stat().st_size > 100_000
    assert json.loads((run_dir / "run.json").read_text())["planned"] == 60


async def broken_but_for_its_models(asked: Asked) -> None:
    await asked.answer(
        GOOD if asked.head.startswith("GET") else b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n"
    )


def test_the_exit_code_of_headless_locust_is_the_verdicts(tmp_path: Path) -> None:
    strict = SCENARIO.replace("at_most: 50%", "at_most: 1%").replace("few-errors", "hardly-any")
    with Server(broken_but_for_its_models) as server:
        process = locust(tmp_path, "--headless", "--host", server.url, scenario=strict)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1, output


def test_locust_with_processes_splits_the_scenario_among_its_workers(tmp_path: Path) -> None:
    with Server(good) as server:
        port = str(free_port())
        process = locust(
            tmp_path, "--headless", "--host", server.url, "--processes", "2", "--master-bind-port", port,
            "--master-port", port,
        )  # fmt: skip
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    run_dir, records = only_run(tmp_path)
    assert records.seq.tolist() == list(range(60))
    assert len(read_worker_reports(run_dir)) == 2


def test_the_web_page_starts_the_engine_shows_its_numbers_and_stops_it(tmp_path: Path) -> None:
    web_port = free_port()
    page = f"http://127.0.0.1:{web_port}"
    with Server(good) as server:
        process = locust(
            tmp_path, "--host", server.url, "--web-port", str(web_port), "--web-host", "127.0.0.1"
        )
        try:
            _post_when_up(f"{page}/swarm", b"user_count=1&spawn_rate=1")
            counts = _wait_for_requests(page, 60)
        finally:
            process.terminate()
            process.communicate(timeout=30)
    assert counts["E2E"] == 60
    assert counts["TTFT"] == 60
    assert len(only_run(tmp_path)[1]) == 60


def test_rates_in_x_are_multiples_of_what_a_probe_finds_first(tmp_path: Path) -> None:
    relative = SCENARIO.replace("60/s", "0.5x") + "capacity: {concurrency: 4, duration: 1s}\n"
    with Server(slow_stream(0.1, 0.0, 1)) as server:
        process = locust(tmp_path, "--headless", "--host", server.url, scenario=relative)
        output, _ = process.communicate(timeout=60)
    assert process.returncode in (0, 3), output
    run_dir, records = only_run(tmp_path)
    capacity = json.loads((run_dir / "run.json").read_text())["capacity"]["requests_per_second"]
    assert capacity == pytest.approx(40, rel=0.25)  # four users, 0.1 s each
    assert len(records) == pytest.approx(capacity / 2, abs=1)


def test_a_target_that_does_not_answer_ends_locust_with_the_code_of_aborted(tmp_path: Path) -> None:
    process = locust(tmp_path, "--headless", "--host", "http://127.0.0.1:1")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 5
    assert "no answer from http://127.0.0.1:1" in output


def test_a_missing_scenario_is_a_mistake_of_usage(tmp_path: Path) -> None:
    process = locust(tmp_path, "--headless", "--host", "http://127.0.0.1:1", "--scenario", "")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "no scenario: give --scenario FILE" in output


USER_FILE = """
from harness.user import InferenceUser
from locust import task

class Talker(InferenceUser):
    model = "m"
    run_options = {
        "slos": [{"name": "first-token", "metric": "ttft", "percentile": 50, "at_most": "1s"}],
        "limits": {"loop_lag_p99": "500ms", "clock_uncertainty": "500ms"},
    }

    @task
    def talk(self):
        text = self.chat("Hello", max_tokens=3)
        assert set(text) == {"t"}, text

    def on_record(self, record):
        assert record.sent_ns == record.intended_ns
        print(f"record {record.outcome} {record.chunks}", flush=True)
"""


FAILURES = tuple(set(Outcome) - {Outcome.OK, Outcome.CANCELLED})


def own_locustfile(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "mine.py").write_text(USER_FILE)
    command = [sys.executable, "-m", "locust", "-f", "mine.py", "--headless", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_locustfile_of_ones_own_talks_with_one_line_and_ends_in_a_report(tmp_path: Path) -> None:
    with Server(slow_stream(0.01, 0.01, 3)) as server:
        done = own_locustfile(tmp_path, "--host", server.url, "-u", "2", "-r", "10", "-t", "4s", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.count("record ok 3")
    assert told > 20
    assert '"method": "TTFT"' in done.stdout
    run_dir, records = only_run(tmp_path)
    assert told <= int(records.ok.sum()) <= told + 2  # a user may be stopped between answer and print
    assert len(records) - told <= 2  # what each user had open when it was stopped
    assert (records.sent_ns == records.intended_ns).all()
    [report] = read_worker_reports(run_dir)
    assert report.planned == report.recorded == len(records)
    assert sum(gaps.count for gaps in report.itl) >= 2 * told  # three tokens have two gaps
    assert json.loads((run_dir / "verdict.json").read_text())["kind"] == "PASS"
    assert "closed loop" in (run_dir / "report.html").read_text()


def test_users_in_two_processes_make_one_run(tmp_path: Path) -> None:
    port = str(free_port())
    with Server(slow_stream(0.01, 0.01, 3)) as server:
        done = own_locustfile(
            tmp_path, "--host", server.url, "-u", "4", "-r", "10", "-t", "4s", "--processes", "2",
            "--master-bind-port", port, "--master-port", port,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    run_dir, records = only_run(tmp_path)
    assert set(records.worker.tolist()) == {0, 1}
    assert (
        len(set(records.seq.tolist()))
        == len(records)
        == json.loads((run_dir / "run.json").read_text())["planned"]
    )


def test_five_hundred_users_share_one_process_each_with_its_own_connection(tmp_path: Path) -> None:
    with Server(slow_stream(0.5, 0.2, 5)) as server:
        done = own_locustfile(tmp_path, "--host", server.url, "-u", "500", "-r", "250", "-t", "7s")
    assert done.returncode in (0, 4), done.stdout[-4000:] + done.stderr[-4000:]  # 4: this machine was busy
    run_dir, records = only_run(tmp_path)
    assert server.connections >= 500
    assert int(records.ok.sum()) >= 500  # each got at least one answer
    assert not records.ended_as(*FAILURES).any()
    [report] = read_worker_reports(run_dir)
    assert report.planned == report.recorded == len(records)


def _post_when_up(url: str, body: bytes) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, body, timeout=5).read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"{url} never answered")


def _wait_for_requests(page: str, wanted: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _ in range(100):
        with urllib.request.urlopen(f"{page}/stats/requests", timeout=5) as answer:
            stats = json.load(answer)["stats"]
        counts = {row["method"]: row["num_requests"] for row in stats if row["name"] == "tidegate"}
        if counts.get("E2E", 0) >= wanted:
            break
        time.sleep(0.1)
    return counts
