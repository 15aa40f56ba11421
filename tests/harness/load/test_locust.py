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

from harness.measure.records import Records, read_records
from harness.measure.worker_report import read_worker_reports
from tests.harness.load.servers import Server, free_port, good, slow_stream

ROOT = Path(__file__).parents[3]
LOCUSTFILE = ROOT / "harness" / "load" / "locustfile.py"
SCENARIO = """
name: plain
target: {model: m}
workload: {prompt_tokens: 8, output_tokens: 3}
drain: 2s
stages: [{name: only, duration: 1s, rate: 60/s, arrivals: constant}]
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
    _, records = only_run(tmp_path)
    assert len(records) == 60
    assert records.ok.all()
    assert '"num_requests": 60' in output


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


def test_a_scenario_that_needs_a_capacity_is_refused_with_a_reason(tmp_path: Path) -> None:
    relative = SCENARIO.replace("60/s", "2x")
    process = locust(tmp_path, "--headless", "--host", "http://127.0.0.1:1", scenario=relative)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "capacity" in output


USER_FILE = """
from harness.load.user import InferenceUser
from locust import task

class Talker(InferenceUser):
    model = "m"

    @task
    def talk(self):
        text = self.chat("Hello", max_tokens=3)
        assert text == "ttt", text

    def on_record(self, record):
        assert record.sent_ns == record.intended_ns
        print(f"record {record.outcome} {record.chunks}", flush=True)
"""


def test_a_locustfile_of_ones_own_talks_to_the_target_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(USER_FILE)
    with Server(slow_stream(0.01, 0.01, 3)) as server:
        arguments = ["-f", "mine.py", "--headless", "--host", server.url, "-u", "2", "-r", "10", "-t", "2s"]
        done = subprocess.run(
            [sys.executable, "-m", "locust", *arguments, "--json"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("record ok 3") > 10
    assert '"method": "TTFT"' in done.stdout


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
