"""Each verdict and its exit code, from the command line, against the scripted engine."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
import xml.etree.ElementTree as ET
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import harness.load
from tests.e2e.servers import (
    BIN,
    answers,
    only_run,
    reference_target,
    tidegate,
    wait_for_worker,
    wait_until,
)

SCENARIO = """
name: e2e
seed: 3
workload: {prompt_tokens: 16, output_tokens: 8}
drain: 5s
max_in_flight: MAX_IN_FLIGHT
stages:
  - {name: calm, duration: DURATION, rate: RATE, arrivals: constant}
slos:
  - {name: ttft-p90, metric: ttft, percentile: 90, at_most: TTFT}
  - {name: errors, metric: error_share, at_most: 5%}
limits: {schedule_delay_p99: 100ms, loop_lag_p99: 100ms}
"""
DEFAULTS = {"MAX_IN_FLIGHT": "200", "DURATION": "5s", "RATE": "40/s", "TTFT": "500ms"}


def write_scenario(folder: Path, **changes: str) -> Path:
    text = SCENARIO
    for key, value in {**DEFAULTS, **changes}.items():
        text = text.replace(key, value)
    file = folder / "e2e.yaml"
    file.write_text(text)
    return file


@pytest.fixture
def target(tmp_path):
    with reference_target(
        tmp_path, "--engine", "scripted", "--timetable", "ttft=20ms,gap=5ms,slots=32,queue=64"
    ) as url:
        yield url


def run(folder: Path, scenario: Path, url: str, *more: str) -> tuple[int, dict, Path]:
    done = tidegate("run", str(scenario), "--target", url, *more, cwd=folder)
    assert "Traceback" not in done.stderr, done.stderr
    run_dir = only_run(folder / "runs")
    return done.returncode, json.loads((run_dir / "verdict.json").read_text()), run_dir


def test_a_service_that_holds_passes_and_leaves_every_file(tmp_path, target):
    code, verdict, run_dir = run(tmp_path, write_scenario(tmp_path), target, "--workers", "2")
    assert (code, verdict["kind"]) == (0, "PASS"), verdict
    files = {path.name for path in run_dir.iterdir()}
    assert {
        "scenario.yaml", "environment.json", "records-0.parquet", "records-1.parquet", "summary.json",
        "verdict.json", "report.html", "junit.xml", "client.log.jsonl", "telemetry.json", "summary.md",
    } <= files  # fmt: skip
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["whole"]["offered"] == 200  # 5 s at 40/s
    assert summary["whole"]["ok"] == 200
    assert summary["reconciliation"]["server_requests"] == 200
    assert summary["reconciliation"]["server_output_tokens"] == 1600


def test_a_service_that_is_too_slow_fails(tmp_path, target):
    code, verdict, run_dir = run(tmp_path, write_scenario(tmp_path, TTFT="2ms"), target)
    assert (code, verdict["kind"]) == (1, "FAIL")
    suite = ET.parse(run_dir / "junit.xml").getroot()
    assert len(suite.findall(".//failure")) == 1


def test_too_few_requests_are_inconclusive(tmp_path, target):
    code, verdict, _ = run(tmp_path, write_scenario(tmp_path, DURATION="1s", RATE="5/s"), target)
    assert (code, verdict["kind"]) == (3, "INCONCLUSIVE")


def test_arrivals_dropped_by_the_generator_are_invalid(tmp_path, target):
    code, verdict, _ = run(tmp_path, write_scenario(tmp_path, MAX_IN_FLIGHT="1"), target)
    assert (code, verdict["kind"]) == (4, "INVALID")
    assert any("dropped" in reason for reason in verdict["reasons"])


def test_somebody_else_on_the_target_makes_the_counts_disagree_which_is_invalid(tmp_path, target):
    scenario = write_scenario(tmp_path)
    command = [str(BIN / "tidegate"), "run", str(scenario), "--target", target]
    process = subprocess.Popen(command, cwd=tmp_path)
    wait_for_worker(process.pid)
    time.sleep(3)
    body = json.dumps({"model": "scripted", "max_tokens": 3, "messages": [{"role": "user", "content": "hi"}]})
    curl = ["curl", "-s", "-d", body, f"{target}/v1/chat/completions"]
    subprocess.run(curl, check=True, capture_output=True)
    assert process.wait(60) == 4
    verdict = json.loads((only_run(tmp_path / "runs") / "verdict.json").read_text())
    assert any("count" in reason for reason in verdict["reasons"])


def test_a_generator_that_was_starved_is_invalid(tmp_path, target):
    scenario = write_scenario(tmp_path, DURATION="8s")
    command = [str(BIN / "tidegate"), "run", str(scenario), "--target", target]
    process = subprocess.Popen(command, cwd=tmp_path)
    worker = wait_for_worker(process.pid)
    time.sleep(3.5)
    os.kill(worker, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(worker, signal.SIGCONT)
    assert process.wait(60) == 4
    verdict = json.loads((only_run(tmp_path / "runs") / "verdict.json").read_text())
    assert any("schedule_delay" in reason for reason in verdict["reasons"]), verdict["reasons"]


def test_a_worker_that_was_killed_is_invalid(tmp_path, target):
    scenario = write_scenario(tmp_path, DURATION="8s")
    command = [str(BIN / "tidegate"), "run", str(scenario), "--target", target, "--workers", "2"]
    process = subprocess.Popen(command, cwd=tmp_path)
    worker = wait_for_worker(process.pid)
    time.sleep(4)
    os.kill(worker, signal.SIGKILL)
    assert process.wait(90) == 4
    verdict = json.loads((only_run(tmp_path / "runs") / "verdict.json").read_text())
    assert any("lost" in reason for reason in verdict["reasons"])


def test_ctrl_c_keeps_what_was_recorded_and_reports_aborted(tmp_path, target):
    scenario = write_scenario(tmp_path, DURATION="30s")
    command = [str(BIN / "tidegate"), "run", str(scenario), "--target", target]
    process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, stderr=subprocess.PIPE)
    wait_for_worker(process.pid)
    time.sleep(5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
    _, errors = process.communicate(timeout=40)
    assert process.returncode == 5, errors
    assert b"Traceback" not in errors
    run_dir = only_run(tmp_path / "runs")
    assert json.loads((run_dir / "verdict.json").read_text())["kind"] == "ABORTED"
    whole = json.loads((run_dir / "summary.json").read_text())["whole"]
    assert whole["ok"] > 20
    recorded = pq.read_table(run_dir / "records-0.parquet")["outcome"].to_pylist()
    assert len(recorded) == 1200  # 30 s at 40/s: every planned arrival has its record
    assert recorded.count("cancelled") > 500


def test_ctrl_c_in_the_probe_is_aborted_and_not_failed(tmp_path, target):
    scenario = write_scenario(tmp_path, RATE="2x")
    command = [str(BIN / "tidegate"), "run", str(scenario), "--target", target]
    process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, stderr=subprocess.PIPE)
    time.sleep(4)  # the probe takes 8 s
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 5, errors
    assert b"Traceback" not in errors


def test_no_answer_from_the_target_is_aborted_before_anything_is_written(tmp_path):
    done = tidegate("run", str(write_scenario(tmp_path)), "--target", "http://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 5
    assert "http://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_mistake_in_the_scenario_is_told_with_its_line_before_any_load(tmp_path):
    scenario = write_scenario(tmp_path, RATE="40 per second")
    done = tidegate("run", str(scenario), "--target", "http://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 2
    assert "e2e.yaml:8" in done.stderr
    assert "40 per second" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_is_a_suite_with_one_report_and_the_worst_verdict(tmp_path, target):
    suite = tmp_path / "suite"
    suite.mkdir()
    for name, ttft in (("a", "500ms"), ("b", "2ms")):
        text = write_scenario(tmp_path, TTFT=ttft, DURATION="3s").read_text()
        (suite / f"{name}.yaml").write_text(text.replace("name: e2e", f"name: suite-{name}"))
    done = tidegate("run", str(suite), "--target", target, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (report,) = (tmp_path / "runs").glob("suite-*/suite.html")
    junit = ET.parse(report.parent / "junit.xml").getroot()
    assert len(junit.findall("testsuite")) == 2
    assert len(junit.findall(".//failure")) == 1


def test_a_stored_run_is_judged_again_by_other_objectives_without_a_target(tmp_path, target):
    _, _, run_dir = run(tmp_path, write_scenario(tmp_path), target)
    slo = tmp_path / "strict.yaml"
    slo.write_text(
        "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: strict}\nspec:\n"
        "  indicator: {metadata: {name: ttft}, spec: {thresholdMetric: {metricSource: "
        "{type: tidegate, spec: {metric: ttft}}}}}\n"
        "  objectives: [{op: lte, value: 0.001, target: 0.9}]\n"
    )
    assert tidegate("gate", str(run_dir), cwd=tmp_path).returncode == 0
    assert tidegate("gate", str(run_dir), "--slo", str(slo), cwd=tmp_path).returncode == 1
    assert tidegate("report", str(run_dir), cwd=tmp_path).returncode == 0


def test_plain_locust_leaves_a_run_that_can_be_judged(tmp_path, target):
    scenario = write_scenario(tmp_path, DURATION="3s")
    locustfile = Path(harness.load.__file__).parent / "locustfile.py"
    command = [str(BIN / "locust"), "-f", str(locustfile), "--scenario", str(scenario), "--host", target]
    subprocess.run([*command, "--headless", "--users", "1"], cwd=tmp_path, check=True, capture_output=True)
    (run_dir,) = (tmp_path / "runs").iterdir()
    done = tidegate("gate", str(run_dir), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "offered 120" in done.stdout  # 3 s at 40/s


def test_each_worker_serves_its_metrics_while_it_sends(tmp_path, target, free_port):
    scenario = write_scenario(tmp_path, DURATION="6s")
    command = [str(BIN / "tidegate"), "run", str(scenario), "--target", target]
    process = subprocess.Popen([*command, "--metrics-port", str(free_port)], cwd=tmp_path)
    page = f"http://127.0.0.1:{free_port}/metrics"
    wait_until(lambda: answers(page), process)
    time.sleep(2)
    with urllib.request.urlopen(page) as answer:
        text = answer.read().decode()
    assert process.wait(60) == 0
    sent = float(re.search(r"^tidegate_sent_total (\S+)$", text, re.MULTILINE)[1])
    assert 20 < sent < 240
    assert 'tidegate_time_to_first_token_seconds_bucket{le="0.5"}' in text  # the objective is a bound
