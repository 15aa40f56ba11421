"""Several processes behind one port, as a person starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.target_server.running import CHAT, ProcessTarget, process_target, request_body, wait_until

GROUP = ("--engine", "scripted", "--processes", "3", "--timetable", "ttft=1ms,gap=1ms")
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def group(tmp_path: Path) -> Iterator[ProcessTarget]:
    with process_target(tmp_path, *GROUP) as target:
        yield target


def children(target: ProcessTarget) -> list[int]:
    pid = target.process.pid
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def answered_by(target: ProcessTarget) -> set[int]:
    return {line["process.pid"] for line in target.log_lines if "tidegate.outcome" in line}


def test_the_shared_page_counts_what_every_process_did(group: ProcessTarget) -> None:
    for _ in range(40):
        assert group.post().json["usage"]["completion_tokens"] == 4
    assert len(answered_by(group)) > 1  # the kernel spreads connections: all 40 at one are (1/3)^39
    assert group.sample("tidegate_target_processes") == 3
    assert group.sample("tidegate_target_requests_total", status="200", outcome="ok") == 40
    assert group.sample("tidegate_target_output_tokens_total") == 160
    assert group.sample("gen_ai_server_request_duration_seconds_count") == 40
    assert group.sample("gen_ai_server_request_duration_seconds_bucket", le="+Inf") == 40


def test_each_process_has_a_page_of_its_own(tmp_path: Path, free_ports: int) -> None:
    with process_target(tmp_path, *GROUP, "--metrics-port", str(free_ports)) as group:
        for _ in range(20):
            group.post()
        ports = range(free_ports, free_ports + 3)
        pages = [ProcessTarget(port, process=group.process, log_file=group.log_file) for port in ports]
        ok = {"status": "200", "outcome": "ok"}
        own = [page.sample("tidegate_target_requests_total", **ok) or 0 for page in pages]
        assert sum(own) == 20
        assert [page.sample("tidegate_target_processes") for page in pages] == [1, 1, 1]
        assert sum(count > 0 for count in own) == len(answered_by(group))


def test_the_shared_page_keeps_exemplars(group: ProcessTarget) -> None:
    group.post(headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    asked = urllib.request.Request(
        f"{group.url}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    kept = {s.exemplar.labels["trace_id"] for f in families for s in f.samples if s.exemplar}
    assert kept == {TRACE}


def test_memory_and_sockets_are_those_of_the_group(group: ProcessTarget) -> None:
    held = [group.send("POST", CHAT, request_body(CHAT, stream=True, max_tokens=30_000)) for _ in range(12)]
    wait_until(lambda: group.sample("tidegate_target_running") == 12)
    assert (group.sample("tidegate_process_open_sockets") or 0) >= 12 + 2 * 3
    assert (group.sample("tidegate_process_resident_bytes") or 0) > 3 * 20_000_000
    assert len(held) == 12


def test_sigterm_drains_every_process_and_the_group_ends_with_0(tmp_path: Path) -> None:
    slow = (*GROUP[:-1], "ttft=5ms,gap=100ms")
    with process_target(tmp_path, *slow) as group:
        streams = [group.send("POST", CHAT, request_body(CHAT, stream=True, max_tokens=10)) for _ in range(9)]
        answers = [stream.getresponse() for stream in streams]
        group.process.send_signal(signal.SIGTERM)
        assert all(answer.read().endswith(b"data: [DONE]\n\n") for answer in answers)
        assert group.process.wait(timeout=10) == 0


def test_the_group_is_not_ready_while_one_of_it_is_leaving(tmp_path: Path) -> None:
    with process_target(tmp_path, *GROUP[:-1], "ttft=5ms,gap=60s") as group:
        streams = [group.send("POST", CHAT, request_body(CHAT, stream=True)) for _ in range(12)]
        for stream in streams:
            stream.getresponse()
        os.kill(children(group)[0], signal.SIGTERM)
        wait_until(lambda: group.ask("GET", "/ready").json["status"] == "draining")


def test_a_process_that_dies_ends_the_group_with_1(group: ProcessTarget) -> None:
    first, *others = children(group)
    os.kill(first, signal.SIGKILL)
    assert group.process.wait(timeout=10) == 1
    assert not any(Path(f"/proc/{pid}").exists() for pid in others)


def test_a_parent_that_is_killed_leaves_no_process_behind(group: ProcessTarget) -> None:
    members = children(group)
    group.process.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}/fd/0").exists() for pid in members))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--engine", "torch", "--processes", "2"), "runs in one process"),
        (("--engine", "scripted", "--processes", "2", "--timetable", "ttft=fast"), "ttft"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(options: tuple[str, ...], said: str) -> None:
    command = [sys.executable, "-m", "target_server", "serve", "--port", "0", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_a_port_that_another_group_has_is_taken(group: ProcessTarget) -> None:
    command = [sys.executable, "-m", "target_server", "serve", "--port", str(group.port), *GROUP]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "in use" in done.stderr) == (2, True)


@pytest.fixture
def free_ports() -> int:
    """Three ports in a row that nobody has, as far as can be told."""
    import socket

    for base in range(23_000, 30_000, 3):
        try:
            for port in range(base, base + 3):
                with socket.create_server(("127.0.0.1", port)):
                    pass
        except OSError:
            continue
        return base
    raise RuntimeError("no three free ports in a row")
