import http.client
import time
from collections.abc import Iterator

import pytest

from tests.target_server.running import (
    CHAT,
    COMPLETIONS,
    Reply,
    ThreadTarget,
    read,
    request_body,
    thread_target,
    wait_until,
)


@pytest.fixture(scope="module")
def target() -> Iterator[ThreadTarget]:
    with thread_target("ttft=5ms,gap=1ms", max_body_bytes=1000) as running:
        yield running


def test_an_unknown_path_is_404(target: ThreadTarget) -> None:
    reply = target.ask("GET", "/v1/nothing")
    assert (reply.status, reply.error["type"], reply.error["code"]) == (
        404,
        "invalid_request_error",
        "not_found",
    )


@pytest.mark.parametrize(("method", "path"), [("GET", CHAT), ("PUT", COMPLETIONS), ("POST", "/health")])
def test_a_wrong_method_is_405(target: ThreadTarget, method: str, path: str) -> None:
    reply = target.ask(method, path)
    assert (reply.status, reply.error["code"]) == (405, "method_not_allowed")


def test_an_unsupported_option_is_400_and_named(target: ThreadTarget) -> None:
    reply = target.post(logit_bias={"5": 1})
    assert (reply.status, reply.error["param"]) == (400, "logit_bias")


def test_invalid_json_is_400_and_the_connection_lives_on(target: ThreadTarget) -> None:
    connection = target.send("POST", CHAT, b"{not json")
    assert read(connection).error["code"] == "invalid_json"
    connection.request("GET", "/health")
    assert read(connection).status == 200


def test_a_body_that_announces_too_much_is_413_without_being_read(target: ThreadTarget) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=5)
    connection.putrequest("POST", CHAT)
    connection.putheader("Content-Length", str(10**9))
    connection.endheaders()
    reply = read(connection)
    assert (reply.status, reply.error["code"], reply.headers["connection"]) == (
        413,
        "body_too_large",
        "close",
    )


def test_a_chunked_body_is_413_as_soon_as_it_is_too_large(target: ThreadTarget) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=5)
    connection.request("POST", CHAT, iter([b"x" * 600, b"y" * 600]), encode_chunked=True)
    assert read(connection).status == 413


def test_the_limit_itself_is_allowed(target: ThreadTarget) -> None:
    body = b'{"model": "scripted", "prompt": "x", "max_tokens": 1'
    assert target.ask("POST", COMPLETIONS, body + b" " * (999 - len(body)) + b"}").status == 200


def test_a_full_queue_is_429_within_50_ms_with_retry_after() -> None:
    with thread_target("ttft=30s", slots=1, queue=1) as target:
        for _ in range(2):
            target.send("POST", CHAT, request_body(CHAT))
        wait_until(lambda: target.target.engine.stats().waiting == 1)
        reply, seconds = quickest_of_five(target)
        assert seconds < 0.05
        assert (reply.status, reply.error["code"], reply.error["type"]) == (
            429,
            "queue_full",
            "rate_limit_error",
        )
        assert int(reply.headers["retry-after"]) >= 1
        assert target.sample("tidegate_target_rejected_total") == 5
        assert target.sample("tidegate_target_queue_depth") == 1
        assert target.sample("tidegate_target_running") == 1


def quickest_of_five(target: ThreadTarget) -> tuple[Reply, float]:
    """One that is slow may be this machine's fault; five are the server's."""
    timed: list[tuple[float, Reply]] = []
    for _ in range(5):
        begun = time.perf_counter()
        reply = target.post()
        timed.append((time.perf_counter() - begun, reply))
    seconds, reply = min(timed, key=lambda one: one[0])
    return reply, seconds


def test_a_stream_that_fails_ends_with_an_error_event_and_done() -> None:
    with thread_target("ttft=5ms,gap=1ms,error=2") as target:
        reply = target.post(stream=True)
        assert reply.status == 200
        *chunks, error, done = reply.events
        assert (error["error"]["code"], done) == ("engine_failed", "[DONE]")
        assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == "the tide "


def test_a_stream_that_the_engine_leaves_without_an_end_has_no_end_on_the_wire() -> None:
    with thread_target("ttft=5ms,gap=1ms,truncate=2") as target:
        events = target.post(stream=True).events
        assert "[DONE]" not in events
        assert all(event["choices"][0]["finish_reason"] is None for event in events)
        assert target.post().status == 500
        for status in ("200", "500"):
            assert target.sample("tidegate_target_requests_total", status=status, outcome="failed") == 1


def test_a_client_that_leaves_frees_its_slot_running_or_waiting() -> None:
    with thread_target("ttft=5ms,gap=10s", slots=1, queue=1) as target:
        stats = target.target.engine.stats
        streaming = target.send("POST", CHAT, request_body(CHAT, stream=True)).getresponse()
        assert streaming.status == 200
        waiting = target.send("POST", CHAT, request_body(CHAT, stream=True))
        wait_until(lambda: (stats().running, stats().waiting) == (1, 1))
        waiting.close()
        wait_until(lambda: (stats().running, stats().waiting) == (1, 0))
        streaming.close()
        target.connections[0].close()
        wait_until(lambda: (stats().running, stats().waiting) == (0, 0))
        assert target.sample("tidegate_target_cancelled_total") == 2
        for status in ("499", "200"):  # before and after the first token
            assert target.sample("tidegate_target_requests_total", status=status, outcome="cancelled") == 1
