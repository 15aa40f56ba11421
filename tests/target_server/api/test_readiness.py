import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvloop

from target_server.api.server import bind
from target_server.app import Target, compose, run
from target_server.config import Settings
from tests.target_server.running import Client, thread_target, wait_until


@contextmanager
def target_whose_engine_waits(go: threading.Event, codes: list[int]) -> Iterator[tuple[Client, Target]]:
    """Serve while the engine is still loading; ``go`` ends the loading."""
    listener = bind("127.0.0.1", 0)
    target = compose(Settings(engine="scripted", grace_seconds=0.2))
    start = target.engine.start

    async def start_late() -> None:
        await asyncio.to_thread(go.wait, 10)
        await start()

    target.engine.start = start_late  # type: ignore[method-assign]

    def serve() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            codes.append(runner.run(run(target, listener)))

    thread = threading.Thread(target=serve)
    thread.start()
    client = Client(listener.getsockname()[1])
    try:
        yield client, target
    finally:
        go.set()
        client.close()
        target.server.drain()
        thread.join(10)


def test_a_target_is_alive_before_it_is_ready_and_says_503_until_then() -> None:
    go, codes = threading.Event(), []
    with target_whose_engine_waits(go, codes) as (client, _):
        assert client.ask("GET", "/health").status == 200
        starting = client.ask("GET", "/ready")
        assert (starting.status, starting.json) == (503, {"status": "starting"})
        refused = client.post()
        assert (refused.status, refused.error["code"]) == (503, "not_ready")
        assert int(refused.headers["retry-after"]) >= 1
        go.set()
        wait_until(lambda: client.ask("GET", "/ready").status == 200)
        assert client.post().status == 200
        assert client.sample("tidegate_target_requests_total", status="503", outcome="unavailable") == 1
    assert codes == [0]


def test_a_target_that_is_stopped_while_it_loads_exits_with_0() -> None:
    codes: list[int] = []
    go = threading.Event()
    with target_whose_engine_waits(go, codes) as (client, target):
        assert client.ask("GET", "/ready").status == 503
        target.server.drain()
    assert codes == [0]


def test_an_engine_that_cannot_start_ends_the_process_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    target = compose(Settings(engine="scripted"))

    async def fail() -> None:
        raise RuntimeError("no such model")

    target.engine.start = fail  # type: ignore[method-assign]
    with bind("127.0.0.1", 0) as listener:
        assert asyncio.run(run(target, listener)) == 1
    assert "tidegate-target: the engine could not start: no such model" in capsys.readouterr().err


def test_every_token_arrives_however_many_share_an_event() -> None:
    with thread_target("ttft=1ms,gap=1ms") as target:
        reply = target.post(stream=True, max_tokens=50, stream_options={"include_usage": True})
        text = "".join(e["choices"][0]["delta"].get("content", "") for e in reply.events[:-1] if e["choices"])
        assert len(text.split()) == 50
        assert reply.events[-2]["usage"]["completion_tokens"] == 50
