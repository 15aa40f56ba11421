"""A real gRPC server (grpcio's own) in another process, that does what the prompt says; and a raw one.

``tokens 3`` · ``abort NAME`` · ``finish REASON`` · ``nothing`` · ``hang`` · ``tokens 2 then abort NAME`` ·
``tokens 2 then nothing`` · ``tokens 2 then hang``. What it was asked goes to a file, one JSON object a call.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from smg_grpc_proto import vllm_engine_pb2 as pb
from smg_grpc_proto import vllm_engine_pb2_grpc as service

from harness.wire.http2 import END_STREAM, HEADERS, PREFACE, SETTINGS, frame, settings_frame

MODEL = "tiny-model"


class Servicer(service.VllmEngineServicer):
    def __init__(self, log: Path) -> None:
        self._log = log

    async def GetModelInfo(self, request: Any, context: Any) -> Any:
        return pb.GetModelInfoResponse(model_path="/models/tiny", served_model_name=MODEL)

    async def Generate(self, request: Any, context: Any) -> AsyncIterator[Any]:
        first, _, then = request.text.partition(" then ")
        self._note("asked", request, context)
        try:
            async for response in self._answer(first or "tokens 3", then, request, context):
                yield response
        except asyncio.CancelledError:
            self._note("cancelled", request, context)
            raise

    async def _answer(self, first: str, then: str, request: Any, context: Any) -> AsyncIterator[Any]:
        verb, _, value = first.partition(" ")
        if verb == "abort":
            await context.abort(grpc.StatusCode[value], "as the prompt says")
        if verb == "hang":
            await asyncio.sleep(60)
        if verb == "tokens" and request.stream:
            for number in range(int(value)):
                yield _chunk(7 + number * 1000)
        if then.startswith("abort"):
            await context.abort(grpc.StatusCode[then.split()[1]], "as the prompt says")
        if then == "hang":
            await asyncio.sleep(60)
        if verb == "finish":
            yield _chunk(7)
            yield _complete([7], value)
        elif verb == "tokens" and not then:
            # As vLLM: in a stream the last message says again what the last chunk said, and counts only that.
            yield _complete([7] if request.stream else [7] * int(value), "length")

    def _note(self, what: str, request: Any, context: Any) -> None:
        metadata = {key: str(value) for key, value in context.invocation_metadata()}
        told = {"what": what, "metadata": metadata, "request": request.SerializeToString().hex()}
        with self._log.open("a") as file:
            file.write(json.dumps({**told, "seconds_left": context.time_remaining()}) + "\n")


def _chunk(token: int) -> Any:
    chunk = pb.GenerateStreamChunk(token_ids=[token], prompt_tokens=5, completion_tokens=1, cached_tokens=4)
    return pb.GenerateResponse(chunk=chunk)


def _complete(ids: list[int], reason: str) -> Any:
    last = pb.GenerateComplete(
        output_ids=ids, finish_reason=reason, prompt_tokens=5, completion_tokens=len(ids), cached_tokens=4
    )
    return pb.GenerateResponse(complete=last)


@dataclass
class Running:
    url: str
    log: Path

    def noted(self, what: str) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [note for line in lines if (note := json.loads(line))["what"] == what]

    def asked(self) -> list[Any]:
        return [pb.GenerateRequest.FromString(bytes.fromhex(n["request"])) for n in self.noted("asked")]


@contextmanager
def grpc_server(folder: Path, certificate: Path | None = None) -> Iterator[Running]:
    """Start the server; ``certificate`` (key and certificate for localhost, PEM) adds TLS."""
    port_file, log = folder / "port", folder / "asked.jsonl"
    command = [sys.executable, "-m", "tests.harness.load.grpc_servers", str(port_file), str(log)]
    command += [str(certificate)] if certificate else []
    process = subprocess.Popen(command)
    try:
        end_by = time.monotonic() + 20
        while not port_file.exists():
            assert process.poll() is None, "the server ended while it started"
            assert time.monotonic() < end_by, "the server did not start"
            time.sleep(0.02)
        base = "grpcs://localhost" if certificate else "grpc://127.0.0.1"
        yield Running(f"{base}:{port_file.read_text()}", log)
    finally:
        process.kill()
        process.wait()


async def _serve(port_file: Path, log: Path, certificate: Path | None = None) -> None:
    server = grpc.aio.server()
    service.add_VllmEngineServicer_to_server(Servicer(log), server)
    if certificate is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pem = certificate.read_bytes()
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pem, pem)]))
    await server.start()
    unfinished = port_file.with_suffix(".part")
    unfinished.write_text(str(port))
    unfinished.rename(port_file)
    await server.wait_for_termination()


@dataclass
class Wire:
    """One connection to a raw server: the frames that came, and the socket to answer with."""

    number: int
    writer: asyncio.StreamWriter
    reader: asyncio.StreamReader
    streams: list[int] = field(default_factory=list)

    async def next_request(self) -> int:
        """Return the number of the next stream that has sent all of its request."""
        while True:
            head = await self.reader.readexactly(9)
            size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            await self.reader.readexactly(size)
            number = int.from_bytes(head[5:], "big")
            if kind == HEADERS:
                self.streams.append(number)
            if kind == SETTINGS and not flags:
                self.send(frame(SETTINGS, 1, 0, b""))
            if kind == 0 and flags & END_STREAM:
                return number

    def send(self, data: bytes) -> None:
        self.writer.write(data)


Script = Callable[[Wire], Any]


class RawServer:
    """``with RawServer(script, settings) as server:`` — ``script`` is a coroutine for each connection."""

    def __init__(
        self, script: Script, settings: dict[int, int] | None = None, hello: bytes | None = None
    ) -> None:
        self._script = script
        self._hello = settings_frame(settings or {}) if hello is None else hello
        self.wires: list[Wire] = []

    @property
    def url(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def __enter__(self) -> RawServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(5)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._end.wait()
        server.close()
        for wire in self.wires:
            wire.writer.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(len(self.wires), writer, reader)
        self.wires.append(wire)
        try:
            assert await reader.readexactly(len(PREFACE)) == PREFACE
            wire.send(self._hello)
            await self._script(wire)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


if __name__ == "__main__":
    asyncio.run(_serve(*map(Path, sys.argv[1:])))
