"""HTTP/1.1 as clients may send it, to a real socket."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from tests.target_server.running import CHAT, ThreadTarget, request_body, thread_target, wait_until


@pytest.fixture(scope="module")
def target() -> Iterator[ThreadTarget]:
    with thread_target("ttft=20ms,gap=1ms", max_body_bytes=200_000) as running:
        yield running


def connect(target: ThreadTarget) -> socket.socket:
    return socket.create_connection(("127.0.0.1", target.port), timeout=5)


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def post(body: bytes, *headers: str) -> bytes:
    head = [f"POST {CHAT} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


def chat(**fields: object) -> bytes:
    return json.dumps(request_body(CHAT, **fields)).encode()


def read_until(sock: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        piece = sock.recv(65_536)
        assert piece, f"the connection ended after {data!r}"
        data += piece
    return data


def read_to_the_end(sock: socket.socket) -> bytes:
    data = b""
    while piece := sock.recv(65_536):
        data += piece
    return data


def test_requests_sent_ahead_are_answered_one_after_the_other(target: ThreadTarget) -> None:
    with connect(target) as sock:
        sock.sendall(post(chat(max_tokens=2)) + get("/health") + get("/nothing", "Connection: close"))
        data = read_to_the_end(sock)
    places = [data.index(word) for word in (b'"chat.completion"', b'"alive"', b'"not_found"')]
    assert places == sorted(places)
    assert data.count(b"HTTP/1.1 ") == 3


def test_a_request_that_comes_byte_by_byte_is_one_request(target: ThreadTarget) -> None:
    with connect(target) as sock:
        for byte in post(chat(max_tokens=1), "Connection: close"):
            sock.send(bytes([byte]))
        assert read_to_the_end(sock).startswith(b"HTTP/1.1 200 OK\r\n")


def test_head_has_the_headers_of_get_and_no_body(target: ThreadTarget) -> None:
    with connect(target) as sock:
        sock.sendall(b"HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = read_to_the_end(sock).partition(b"\r\n\r\n")
    assert b"content-length: 18" in head  # {"status":"alive"}
    assert body == b""


def test_connection_close_is_answered_in_kind(target: ThreadTarget) -> None:
    with connect(target) as sock:
        sock.sendall(get("/health", "Connection: close"))
        assert b"\r\nconnection: close\r\n" in read_to_the_end(sock)


def test_every_answer_carries_the_date(target: ThreadTarget) -> None:
    assert "date" in target.ask("GET", "/health").headers


def test_what_is_not_http_is_400_and_the_end(target: ThreadTarget) -> None:
    with connect(target) as sock:
        sock.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert read_to_the_end(sock).startswith(b"HTTP/1.1 400 ")


def test_expect_100_continue_is_answered_before_the_body(target: ThreadTarget) -> None:
    body = chat(max_tokens=1)
    head = post(body, "Expect: 100-continue", "Connection: close").removesuffix(body)
    with connect(target) as sock:
        sock.sendall(head)
        assert read_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert read_to_the_end(sock).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_long_body_is_read_whole(target: ThreadTarget) -> None:
    reply = target.post(messages=[{"role": "user", "content": "word " * 30_000}], max_tokens=1)
    assert (reply.status, reply.json["usage"]["prompt_tokens"]) == (200, 30_000)


def test_a_client_that_leaves_in_the_middle_of_its_body_is_counted_as_cancelled() -> None:
    with thread_target() as target:
        with connect(target) as sock:
            sock.sendall(post(chat())[:-5])
            time.sleep(0.05)
        wait_until(lambda: target.sample("tidegate_target_cancelled_total") == 1)


def test_the_path_is_read_without_its_query_and_unquoted(target: ThreadTarget) -> None:
    assert target.ask("GET", "/health?verbose=1").status == 200
    assert target.ask("GET", "/v1/models/scri%70ted").status == 200
    with connect(target) as sock:
        sock.sendall(get("http://proxy.example/health", "Connection: close"))
        assert read_to_the_end(sock).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_stream_waits_for_a_client_that_does_not_read() -> None:
    with thread_target("ttft=0ms,gap=0ms", max_body_bytes=1000) as target, connect(target) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(post(chat(stream=True, max_tokens=30_000), "Connection: close"))
        time.sleep(0.1)
        data = read_to_the_end(sock)
    assert data.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
