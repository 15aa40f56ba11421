"""What a plain client gets from the golden target, option by option."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from harness.calibrate.golden.running import RunningGolden, golden
from tests.harness.calibrate.golden.client import CHAT, COMPLETIONS, Client, Seen, connected

MS = 1_000_000


@pytest.fixture(scope="module")
def target() -> Iterator[RunningGolden]:
    with golden("ttft=5ms,gap=2ms") as running:
        yield running


@pytest.fixture
def client(target: RunningGolden) -> Iterator[Client]:
    with connected(target.url) as one:
        yield one


def test_a_chat_stream_has_its_tokens_its_reason_and_its_end(client: Client) -> None:
    seen = client.ask(max_tokens=3)
    assert (seen.status, seen.ended) == (200, "done")
    assert seen.tokens == 3
    assert json.loads(seen.events[3])["choices"][0]["finish_reason"] == "length"
    assert seen.events[4:] == ["[DONE]"]


def test_usage_is_sent_when_it_is_asked_for(client: Client) -> None:
    seen = client.ask(max_tokens=3, stream_options={"include_usage": True})
    usage = json.loads(seen.events[-2])
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11}


def test_completions_speak_their_own_shape(client: Client) -> None:
    seen = client.ask(COMPLETIONS, max_tokens=2)
    assert seen.tokens == 2
    assert json.loads(seen.events[0])["choices"][0]["text"] == " token"
    whole = client.ask(COMPLETIONS, max_tokens=2, stream=False)
    assert whole.json["choices"][0]["text"] == " token token"


def test_an_answer_in_one_piece_comes_when_its_last_token_would(client: Client) -> None:
    seen = client.ask(stream=False, max_tokens=11)  # 5 ms + 10 · 2 ms
    assert seen.json["choices"][0]["message"]["content"] == " token" * 11
    assert seen.json["usage"]["completion_tokens"] == 11
    assert seen.token_ns[0] - seen.sent_ns >= 25 * MS


def test_the_timetables_token_count_goes_before_the_requests(client: Client) -> None:
    assert client.ask(max_tokens=3, golden="tokens=5").tokens == 5
    assert client.ask(max_completion_tokens=4).tokens == 4
    assert client.ask().tokens == 16


def test_the_header_gives_a_timetable_as_the_body_does(client: Client) -> None:
    assert client.send(CHAT, b'{"stream":true}', "x-golden: tokens=2\r\n").tokens == 2


def test_tokens_come_by_the_clock(client: Client) -> None:
    seen = client.ask(golden="ttft=30ms,gap=20ms,tokens=4")
    offsets_ms = [(at - seen.sent_ns) / MS for at in seen.token_ns]
    assert offsets_ms == pytest.approx([30, 50, 70, 90], abs=15)
    assert all(offset >= due for offset, due in zip(offsets_ms, [30, 50, 70, 90], strict=True))


def test_a_stall_holds_its_token_back(client: Client) -> None:
    seen = client.ask(golden="gap=20ms,tokens=4,stall=3:150ms")  # far enough apart for a read each
    gaps_ms = [(b - a) / MS for a, b in zip(seen.token_ns, seen.token_ns[1:], strict=False)]
    assert gaps_ms[1] == pytest.approx(170, abs=15)
    assert max(gaps_ms[0], gaps_ms[2]) < 50


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_is_an_error_in_the_apis_shape_and_says_when_to_come_back(
    client: Client, status: int
) -> None:
    seen = client.ask(golden=f"status={status},ttft=0ms")
    assert seen.status == status
    assert seen.headers["retry-after"] == "1"
    assert seen.json["error"]["code"] == status
    assert client.ask(max_tokens=1).tokens == 1  # the connection lives on


def test_a_truncated_stream_ends_in_order_without_a_reason(client: Client) -> None:
    seen = client.ask(max_tokens=9, golden="truncate=4")
    assert (seen.ended, seen.tokens) == ("done", 4)
    assert len(seen.events) == 4
    assert client.ask(max_tokens=2, golden="truncate=0").events == []
    assert client.ask(max_tokens=2, golden="truncate=3").events[-1] == "[DONE]"  # it ended before


def test_a_reset_comes_after_its_tokens(client: Client, target: RunningGolden) -> None:
    seen = client.ask(max_tokens=9, golden="gap=30ms,reset=3")
    assert (seen.ended, seen.tokens) == ("reset", 3)
    with connected(target.url) as another:
        assert another.ask(golden="reset=0").ended == "reset"


def test_a_mistake_in_a_requests_timetable_is_a_400_that_names_it(target: RunningGolden) -> None:
    with connected(target.url) as one:
        seen = one.ask(golden="gap=fast")
        assert seen.status == 400
        assert seen.json["error"]["message"].startswith("timetable: gap=fast; allowed: a duration")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 1\r\n\r\n{", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET /v1/chat/completions HTTP/1.1\r\n\r\n", 405),
        (b"GET /nothing HTTP/1.1\r\n\r\n", 404),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: " + b"x" * 70_000, 431),
    ],
)
def test_what_cannot_be_answered_is_refused(target: RunningGolden, request_bytes: bytes, status: int) -> None:
    with connected(target.url) as one:
        one.socket.sendall(request_bytes)
        assert _status(one) == status


def test_a_request_in_pieces_is_a_request(client: Client) -> None:
    body = b'{"stream":true,"max_tokens":2,"messages":[]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body)
    for piece in (head[:20], head[20:], body[:7], body[7:]):
        client.socket.sendall(piece)
    assert _status(client) == 200


def test_connection_close_closes_after_the_answer(target: RunningGolden) -> None:
    with connected(target.url) as one:
        assert one.send(CHAT, b'{"stream":true,"max_tokens":2}', "Connection: close\r\n").tokens == 2
        assert one.socket.recv(1) == b""


def test_the_pages_of_a_target_are_there(client: Client) -> None:
    assert client.get("/v1/models").json["data"][0]["id"] == "golden"
    assert client.get("/health").json == {"status": "ok"}
    told = client.get("/golden/log").json
    assert told["file"] == f"golden-{told['pid']}.npz"


def test_a_slow_reader_gets_every_token_in_order(client: Client) -> None:
    body = b'{"stream":true,"golden":"ttft=0s,gap=1us,tokens=40000"}'  # 6 MB: more than the sockets hold
    client.socket.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    time.sleep(1.0)
    assert client.read(Seen()).tokens == 40_000
    assert client.ask(max_tokens=2).tokens == 2


def _status(client: Client) -> int:
    return int(client.socket.recv(4096).split(b" ")[1])
