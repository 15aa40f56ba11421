"""What is in C lives through clients that send in pieces, ahead, slowly, too much, or leave."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.calibrate.golden.running import RunningGolden, golden
from harness.scenario.model import Target
from harness.telemetry.target import read_counters, read_levels
from tests.harness.calibrate.golden.client import CHAT, Client, Seen, connected
from tests.harness.calibrate.golden.traffic import (
    ask_ahead,
    ask_byte_by_byte,
    leave_by_resets,
    read_slowly,
    request,
    send_too_far_ahead,
)


@pytest.fixture(scope="module")
def target() -> Iterator[RunningGolden]:
    with golden("ttft=1ms,gap=1ms") as running:
        yield running


@pytest.fixture
def fresh() -> Iterator[RunningGolden]:
    with golden("ttft=1ms,gap=1ms") as running:
        yield running


def test_requests_that_come_a_byte_at_a_time_are_answered(target: RunningGolden) -> None:
    assert ask_byte_by_byte(target.url) == [2, 3]


def test_requests_sent_ahead_are_answered_in_their_order(fresh: RunningGolden) -> None:
    assert ask_ahead(fresh.url, 500) == list(range(1, 501))
    assert fresh.stop().tokens.tolist() == list(range(1, 501))


def test_a_request_behind_a_stream_waits_for_its_end(target: RunningGolden) -> None:
    with connected(target.url) as client:
        client.socket.sendall(request(stream=True, max_tokens=20) + request(max_tokens=1))
        received = b""
        while b'"usage"' not in received:
            received += client.socket.recv(1 << 16)
    assert received.count(b"HTTP/1.1 200") == 2
    assert received.index(b"data: [DONE]") < received.rindex(b"HTTP/1.1 200")


def test_nothing_behind_connection_close_is_answered(target: RunningGolden) -> None:
    with connected(target.url) as client:
        client.socket.sendall(request(headers="Connection: close\r\n", max_tokens=1) + request(max_tokens=1))
        seen = _to_the_end(client)
    assert seen.count(b"HTTP/1.1") == 1


def test_clients_that_reset_in_midstream_are_counted_with_what_they_were_sent(fresh: RunningGolden) -> None:
    leave_by_resets(fresh.url, 50)
    time.sleep(0.1)
    counters, levels = read_counters(Target(url=fresh.url)), read_levels(Target(url=fresh.url))
    truth = fresh.stop()
    assert counters is not None
    assert levels is not None
    assert (counters.finished, counters.output_tokens) == (0, truth.total_tokens)
    assert levels.running == 0
    assert ((truth.tokens > 0) & (truth.tokens < 100)).all()
    assert len(truth) == 50


def test_open_answers_and_memory_are_on_the_page_of_counts() -> None:
    with golden(processes=2) as target, ExitStack() as stack:
        for _ in range(5):
            client = stack.enter_context(connected(target.url))
            client.socket.sendall(request(stream=True, max_tokens=9, golden="ttft=30s"))
        time.sleep(0.1)
        levels = read_levels(Target(url=target.url))
        resident = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in target.pids]
        assert levels is not None
        assert levels.running == 5
        assert levels.resident_bytes == pytest.approx(sum(resident), rel=0.05)


def test_without_descriptors_it_waits_for_one_and_turns_no_circles(fresh: RunningGolden) -> None:
    [pid] = fresh.pids
    in_use, room = len(list(Path(f"/proc/{pid}/fd").iterdir())), 5
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (in_use + room, in_use + room))
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(fresh.url)) for _ in range(20)]
        answered = [client.ask(max_tokens=1).tokens for client in clients[:room]]
        clients[room].socket.sendall(request(max_tokens=1))
        before = _cpu_seconds(pid)
        time.sleep(0.5)
        assert _cpu_seconds(pid) - before < 0.1
        for client in clients[:room]:
            client.socket.close()
        assert clients[room].read(Seen()).status == 200
    assert answered == [1] * room


def test_a_slow_reader_gets_all_and_the_memory_comes_back(target: RunningGolden) -> None:
    assert read_slowly(target.url, 30_000).tokens == 30_000
    with connected(target.url) as client:
        assert client.ask(max_tokens=2).tokens == 2


def test_who_sends_too_much_is_refused(target: RunningGolden) -> None:
    with connected(target.url) as client:
        client.socket.sendall(f"POST {CHAT} HTTP/1.1\r\nContent-Length: {17 << 20}\r\n\r\n".encode())
        seen = client.read(Seen())
    assert (seen.status, seen.json["error"]["message"]) == (413, "the body is longer than 16 MiB")
    assert send_too_far_ahead(target.url, 18 << 20) in {"reset", "eof"}


def test_more_kinds_of_answers_than_are_kept_are_rendered_again_and_those_in_use_stay(
    target: RunningGolden,
) -> None:
    line = "ttft=0s,gap=0s"
    with connected(target.url) as held, connected(target.url) as client:
        held.socket.sendall(request(stream=True, max_tokens=3, golden="ttft=0s,gap=1500ms"))
        for max_tokens in (*range(1, 1100), 1):
            answer = client.ask(stream=False, max_tokens=max_tokens, golden=line)
            assert answer.json["usage"]["completion_tokens"] == max_tokens
        assert held.read(Seen()).tokens == 3


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"[]", "the body is not the API's JSON: Expected `object`, got `array`"),
        (b'{"stream":1}', "the body is not the API's JSON: Expected `bool`, got `int` - at `$.stream`"),
        (b'{"max_tokens":1.0}', "Expected `int | null`, got `float` - at `$.max_tokens`"),
        (b'{"max_completion_tokens":"9"}', "Expected `int | null`, got `str` - at `$.max_completion_tokens`"),
        (b'{"stream_options":true}', "Expected `object | null`, got `bool` - at `$.stream_options`"),
        (b'{"stream_options":{"include_usage":null}}', "got `null` - at `$.stream_options.include_usage`"),
        (b'{"golden":"\xff"}', "the field golden is not UTF-8"),
        (b'{"stream":true', "the body is not the API's JSON: JSON is malformed: "),
        (b"", "the body is not the API's JSON: JSON is malformed: "),
        (b'{"max_tokens":-1}', "max_tokens=-1; allowed: a whole number from 1 to 1000000"),
        (b'{"max_tokens":1000001}', "max_tokens=1000001; allowed: a whole number from 1 to 1000000"),
    ],
)
def test_a_body_that_is_none_is_refused_in_words_that_name_the_field(
    target: RunningGolden, body: bytes, told: str
) -> None:
    with connected(target.url) as client:
        seen = client.send(CHAT, body)
    assert seen.status == 400
    assert told in seen.json["error"]["message"]


def test_an_unknown_path_is_named_and_a_bad_header_too(target: RunningGolden) -> None:
    with connected(target.url) as client:
        assert client.get("/v2?x=1").json["error"]["message"] == "no such path: /v2"
        assert client.ask(max_tokens=1).tokens == 1  # the connection lives on
        client.socket.sendall(b"GET / HTTP/1.1\r\nno header\r\n\r\n")
        assert client.read(Seen()).json["error"]["message"].startswith("a header is not HTTP/1.1: ")
        assert client.socket.recv(1) == b""


def _to_the_end(client: Client) -> bytes:
    received = b""
    while data := client.socket.recv(1 << 16):
        received += data
    return received


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
