"""Real targets for tests: in a thread (its parts can be looked at) or as a process (signals, exit codes)."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from prometheus_client.parser import text_string_to_metric_families

from target_server.api.server import bind
from target_server.app import Target, compose, run
from target_server.config import Settings

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.json["error"]
        return error

    @property
    def events(self) -> list[Any]:
        """The data of each server-sent event: decoded, except ``[DONE]``."""
        data = [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: ")]
        return [item if item == "[DONE]" else json.loads(item) for item in data]


@dataclass
class Client:
    port: int
    connections: list[http.client.HTTPConnection] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        with closing(self.send(method, path, body, headers)) as connection:
            return read(connection)

    def post(self, path: str = CHAT, headers: dict[str, str] | None = None, **fields: Any) -> Reply:
        return self.ask("POST", path, request_body(path, **fields), headers)

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> http.client.HTTPConnection:
        """Send only; the answer can be read later, or never."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        payload = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        self.connections.append(connection)
        connection.request(method, path, payload, headers or {})
        return connection

    def close(self) -> None:
        for connection in self.connections:
            connection.close()

    def sample(self, name: str, **labels: str) -> float | None:
        """Read one sample from the metrics page."""
        page = self.ask("GET", "/metrics").body.decode()
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None


def read(connection: http.client.HTTPConnection) -> Reply:
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


def request_body(path: str, **fields: Any) -> dict[str, Any]:
    prompt = (
        {"messages": [{"role": "user", "content": "how is the tide"}]} if path == CHAT else {"prompt": "tide"}
    )
    return {"model": "scripted", "max_tokens": 4, **prompt, **fields}


@dataclass
class ThreadTarget(Client):
    target: Target = field(kw_only=True)


@contextmanager
def thread_target(timetable: str = "ttft=5ms,gap=1ms", **settings: Any) -> Iterator[ThreadTarget]:
    """Serve the scripted engine from a thread with its own loop."""
    listener = bind("127.0.0.1", 0)
    target = compose(Settings(engine="scripted", timetable=timetable, grace_seconds=0.2, **settings))

    def serve() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(target, listener))

    thread = threading.Thread(target=serve)
    thread.start()
    client = ThreadTarget(listener.getsockname()[1], target=target)
    try:
        wait_until(lambda: target.server.started and target.engine.ready)
        yield client
    finally:
        client.close()
        target.server.drain()
        thread.join(10)
    assert not thread.is_alive()


@dataclass
class ProcessTarget(Client):
    process: subprocess.Popen[str] = field(kw_only=True)
    log_file: Path = field(kw_only=True)

    @property
    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]


@contextmanager
def process_target(folder: Path, *options: str, **environment: str) -> Iterator[ProcessTarget]:
    """Start ``tidegate-target serve`` on a free port and wait until it is ready."""
    port_file, log_file = folder / "port", folder / "target.log.jsonl"
    common = ["--port", "0", "--port-file", str(port_file), "--log-file", str(log_file)]
    client: ProcessTarget | None = None
    process = subprocess.Popen(
        [sys.executable, "-m", "target_server", "serve", *common, *options],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: port_file.exists() or process.poll() is not None, seconds=30)
        assert process.poll() is None, process.stdout and process.stdout.read()
        client = ProcessTarget(int(port_file.read_text()), process=process, log_file=log_file)
        wait_until(lambda: client.ask("GET", "/ready").status == 200, seconds=150)  # a model may be fetched
        yield client
    finally:
        if client is not None:
            client.close()
        process.kill()
        process.communicate()


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)
