"""The truth log is what a plain client saw."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from harness.calibrate.golden.running import golden
from harness.calibrate.golden.truth import read_truth
from harness.errors import TidegateError, UsageError
from harness.scenario.model import Target
from harness.telemetry.target import read_counters
from tests.harness.calibrate.golden.client import CHAT, Seen, connected, trace_of

MS = 1_000_000
LATE_NS = 60 * MS
"""What a shared machine may put between a write and a blocking read."""


def test_counts_and_instants_are_those_that_the_client_saw() -> None:
    with golden("ttft=20ms,gap=10ms") as target, connected(target.url) as client:
        seen = [client.ask(seq=seq, max_tokens=3 + seq) for seq in range(4)]
    truth = target.stop()
    assert truth.trace_id.tolist() == [trace_of(seq) for seq in range(4)]
    assert truth.tokens.tolist() == [one.tokens for one in seen] == [3, 4, 5, 6]
    assert truth.status.tolist() == [200] * 4
    assert truth.gaps.count == 2 + 3 + 4 + 5
    assert truth.pace.count == truth.total_tokens == 18
    for row, one in enumerate(seen):
        assert one.sent_ns <= truth.arrived_ns[row] <= one.sent_ns + LATE_NS
        assert 0 <= one.token_ns[0] - truth.first_write_ns[row] <= LATE_NS
        assert 0 <= one.token_ns[-1] - truth.last_write_ns[row] <= LATE_NS
    assert (truth.first_due_ns - truth.arrived_ns).tolist() == [20 * MS] * 4


def test_writes_are_never_early_and_seldom_late() -> None:
    with golden("ttft=20ms,gap=10ms,tokens=40") as target, connected(target.url) as client:
        for _ in range(3):
            client.ask()
    truth = target.stop()
    assert (truth.first_write_ns >= truth.first_due_ns).all()
    assert truth.pace.quantile(0.5) < 0.002
    assert truth.pace_error_p99_seconds < 0.02
    assert truth.gaps.quantile(0.5) == pytest.approx(0.010, rel=0.02)


def test_answers_that_break_are_logged_with_what_was_written() -> None:
    with golden("ttft=5ms,gap=5ms") as target:
        for seq, line in enumerate(("truncate=4", "gap=30ms,reset=3", "status=503", "reset=0")):
            with connected(target.url) as client:
                client.ask(seq=seq, max_tokens=8, golden=line)
    truth = target.stop()
    assert truth.tokens.tolist() == [4, 3, 0, 0]
    assert truth.status.tolist() == [200, 200, 503, 200]
    assert (truth.first_write_ns[[0, 1, 2]] >= 0).all()
    assert truth.first_write_ns[3] == -1
    assert np.isnan(truth.ttft_seconds[3])


def test_a_client_that_leaves_is_logged_with_what_it_was_sent() -> None:
    with golden("ttft=1ms,gap=20ms") as target:
        with connected(target.url) as client:
            client.socket.sendall(
                f"POST {CHAT} HTTP/1.1\r\nContent-Length: 32\r\n\r\n".encode()
                + b'{"stream":true,"max_tokens":500}'
            )
            first = client.socket.recv(1 << 16)
            client.socket.recv(1 << 16)
        time.sleep(0.2)
        counters = read_counters(Target(url=target.url))
    truth = target.stop()
    assert b" token" in first
    assert 2 <= truth.tokens[0] < 12  # two were read; in the 0.2 s after, at most ten more were due
    assert counters is not None
    assert (counters.finished, counters.output_tokens) == (0, truth.total_tokens)


def test_several_processes_on_one_port_have_one_truth_and_one_page_of_counts() -> None:
    with golden("ttft=10ms,gap=2ms,tokens=5", processes=3) as target:
        assert len(target.pids) == 3
        seen = _in_parallel(target.url, 24)
        counters = read_counters(Target(url=target.url))
    truth = target.stop()
    assert sorted(truth.trace_id) == sorted(trace_of(seq) for seq in range(24))
    assert truth.total_tokens == sum(one.tokens for one in seen) == 120
    assert truth.gaps.count == 24 * 4
    assert (truth.rows_of([trace_of(3), trace_of(99)]) >= 0).tolist() == [True, False]
    assert counters is not None
    assert (counters.kind, counters.finished, counters.output_tokens) == ("tidegate", 24, 120)


def test_a_frozen_target_answers_at_its_thaw_and_says_so() -> None:
    with golden("ttft=10ms,gap=10ms,tokens=10") as target, connected(target.url) as client:
        client.ask()
        threading.Timer(0.05, target.freeze).start()
        threading.Timer(0.45, target.thaw).start()
        began = time.monotonic()
        while time.monotonic() - began < 0.4:
            client.ask()
    truth = target.stop()
    assert truth.gaps.max_seconds == pytest.approx(0.4, abs=0.1)


def test_the_log_can_be_had_while_the_target_serves(tmp_path: Path) -> None:
    with golden(log_dir=tmp_path) as target, connected(target.url) as client:
        client.ask(max_tokens=2)
        assert client.get("/golden/log").json["requests"] == 1
        assert read_truth(tmp_path).total_tokens == 2
    assert len(target.stop()) == 1


def test_a_folder_without_a_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no golden target has left its log"):
        read_truth(tmp_path)
    (tmp_path / "golden-1.npz").write_bytes(b"half a fi")
    with pytest.raises(UsageError, match=r"golden-1\.npz"):
        read_truth(tmp_path)


def test_a_timetable_with_a_mistake_does_not_start() -> None:
    with pytest.raises(TidegateError, match="code 2"), golden("ttft=soon"):
        pass


def _in_parallel(url: str, requests: int) -> list[Seen]:
    seen: list[Seen] = []

    def ask(seq: int) -> None:
        with connected(url) as client:
            seen.append(client.ask(seq=seq))

    threads = [threading.Thread(target=ask, args=(seq,)) for seq in range(requests)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen
