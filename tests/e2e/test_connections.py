"""Two thousand streams at once, from many source addresses, over several processes on both sides."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from harness.measure.open_streams import read_machine_report
from harness.measure.record import Outcome
from harness.measure.records import read_records
from harness.measure.summary import Summary
from harness.measure.worker_report import read_worker_reports
from tests.e2e.servers import BIN, only_run, reference_target, tidegate

STREAMS = 2000
SCENARIO = f"""
name: held
target:
  connection: close
  source_addresses: 127.0.5.1-127.0.5.8
  ignore_eos: true
workload:
  prompts_file: hello.jsonl
  output_tokens: 7
max_in_flight: {STREAMS}
drain: 60s
trace_sample_share: 1%
stages:
  - name: opening
    arrivals: constant
    duration: 2s
    rate: {STREAMS // 2}/s
slos:
  - {{name: lives, metric: error_share, at_most: 1%}}
limits: {{schedule_delay_p99: 5s, loop_lag_p99: 5s}}
"""
TARGET = ("--engine", "scripted", "--processes", "2", "--slots", "2000", "--queue", "0")


def write_scenario(folder: Path, **changes: str) -> Path:
    text = SCENARIO
    for before, after in changes.items():
        text = re.sub(rf"(?m)^( *{before}:).*$", rf"\1 {after}", text)
    (folder / "hello.jsonl").write_text('{"prompt": "Tell me the state of the tide."}\n')
    file = folder / "held.yaml"
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one run of all streams: the last is due at 2 s, and each is held for six gaps, 9 s."""
    folder = tmp_path_factory.mktemp("held")
    file = write_scenario(folder)
    with reference_target(folder, *TARGET, "--timetable", "ttft=5ms,gap=1500ms") as url:
        done = tidegate("run", str(file), "--target", url, "--workers", "2", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return only_run(folder / "runs")


def test_every_stream_opens_lives_and_is_counted_alike_on_both_sides(held: Path) -> None:
    records = read_records(held)
    assert len(records) == STREAMS
    assert records.ended_as(Outcome.OK).all()
    summary = Summary.from_json((held / "summary.json").read_text())
    counts, streams = summary.reconciliation, summary.open_streams
    assert counts is not None
    assert (counts.server_requests, counts.server_output_tokens) == (STREAMS, 7 * STREAMS)
    assert streams is not None
    assert [(worker.worker, worker.in_flight) for worker in streams.workers] == [(0, 1000), (1, 1000)]
    assert streams.target_open == STREAMS
    assert 2.0 < streams.all_open_seconds < 9.0
    assert 0 < streams.client_bytes_per_stream < 20_000
    assert 0 < streams.target_bytes_per_stream < 14_000
    page = (held / "report.html").read_text()
    assert "2,000 (1,000 to 1,000 a worker); the target counts 2,000" in page
    assert "Memory a stream, kernel here" in page


def test_the_run_is_watched_from_before_the_load_to_its_peak(held: Path) -> None:
    machine = read_machine_report(held)
    assert machine is not None
    assert machine.before.target_open == 0
    assert (machine.at_peak.tcp_sockets or 0) > (machine.before.tcp_sockets or 0) + STREAMS
    for report in read_worker_reports(held):
        assert report.peak is not None
        assert report.peak.in_flight > STREAMS / 4  # of the half that is its own
        assert report.peak.proportional_bytes is not None
        assert 0 < report.peak.proportional_bytes <= report.peak.resident_bytes


def test_the_connections_came_from_all_source_addresses(tmp_path: Path) -> None:
    """While the streams are open, the kernel's own table tells where they come from."""
    file = write_scenario(tmp_path, output_tokens="20", rate="100/s")
    seen: Counter[str] = Counter()
    with reference_target(tmp_path, *TARGET, "--timetable", "ttft=5ms,gap=100ms") as url:
        command = [str(BIN / "tidegate"), "run", str(file), "--target", url]
        running = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while running.poll() is None:
            seen |= established_from("127.0.5.", int(url.rpartition(":")[2]))
            time.sleep(0.1)
    assert set(seen) == {f"127.0.5.{n}" for n in range(1, 9)}


def established_from(prefix: str, port: int) -> Counter[str]:
    """Count the established connections to a local port by their source, under an address prefix."""
    found: Counter[str] = Counter()
    for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:]):
        source, target, state = fields[1], fields[2], fields[3]
        if state == "01" and int(target.rpartition(":")[2], 16) == port:
            address = ".".join(str(byte) for byte in reversed(bytes.fromhex(source.partition(":")[0])))
            found[address] += address.startswith(prefix)
    return found


def test_a_run_that_cannot_work_is_refused_with_the_remedy_before_anything_is_sent(tmp_path: Path) -> None:
    file = write_scenario(
        tmp_path, max_in_flight="900000", rate="450000/s", source_addresses="127.0.5.1", drain="1s"
    )
    with reference_target(tmp_path, *TARGET, "--timetable", "ttft=5ms,gap=1s") as url:
        done = tidegate("run", str(file), "--target", url, cwd=tmp_path)
        table = tidegate("doctor", str(file), "--target", url, cwd=tmp_path)
    assert done.returncode == 2
    assert "remedy: target.source_addresses: 127.0.1.0/26" in done.stderr
    assert "remedy: tidegate-target serve --processes " in done.stderr
    assert "remedy: sysctl -w net.core.somaxconn=" in done.stderr
    assert not (tmp_path / "runs").exists()
    assert table.returncode == 2
    assert "127.0.1.0/26" in table.stdout


def test_the_doctor_says_what_a_small_scenario_needs_and_ends_with_0(tmp_path: Path) -> None:
    file = write_scenario(tmp_path, rate="10/s")
    done = tidegate("doctor", str(file), "--target", "http://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("at most 20 requests open at once (estimated: the most arrivals within ")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="auto gives one worker on one core")
def test_auto_starts_as_many_workers_as_the_rate_takes(tmp_path: Path) -> None:
    file = write_scenario(tmp_path, rate="60000/s", duration="200ms", max_in_flight="50", drain="5s")
    with reference_target(tmp_path, *TARGET, "--timetable", "ttft=5ms,gap=1ms") as url:
        tidegate("run", str(file), "--target", url, cwd=tmp_path)
    assert len(read_worker_reports(only_run(tmp_path / "runs"))) == 2
