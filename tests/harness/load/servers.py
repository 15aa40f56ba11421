"""A real HTTP server in a thread whose handler is a coroutine of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.harness.wire.streams import DONE, chunk_event, chunked, stream_body

GOOD = chunked(stream_body(["a", "b", "c"]), 4000)


@dataclass
class Asked:
    """One request as the server saw it. ``connection`` and ``number`` count from 0."""

    head: str
    body: bytes
    connection: int
    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


Handler = Callable[[Asked], Awaitable[None]]


@dataclass
class Server:
    """``with Server(handler) as server:`` — the handler may close ``asked.writer`` to end the connection."""

    handler: Handler
    tls: ssl.SSLContext | None = None
    close_after_answer: bool = False
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(5)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, ssl=self.tls, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        connection, self.connections = self.connections, self.connections + 1
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
            async for asked in self._requests(reader, writer, connection):
                await self.handler(asked)
                if self.close_after_answer or writer.is_closing():
                    break
        writer.close()

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> AsyncIterator[Asked]:
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            except asyncio.IncompleteReadError:
                return
            lengths = [line for line in head.split("\r\n") if line.lower().startswith("content-length:")]
            body = await reader.readexactly(int(lengths[0].split(":")[1]) if lengths else 0)
            asked = Asked(head, body, connection, len(self.asked), reader, writer)
            self.asked.append(asked)
            yield asked


async def good(asked: Asked) -> None:
    await asked.answer(GOOD)


def slow_stream(first_seconds: float, gap_seconds: float, tokens: int) -> Handler:
    """Tokens at known instants: the truth to measure against."""

    async def handler(asked: Asked) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        await asked.answer(head)
        await asyncio.sleep(first_seconds)
        for number in range(tokens):
            if number:
                await asyncio.sleep(gap_seconds)
            event = chunk_event("t")
            await asked.answer(b"%x\r\n%b\r\n" % (len(event), event))
        tail = chunk_event(None, "stop") + DONE
        await asked.answer(b"%x\r\n%b\r\n0\r\n\r\n" % (len(tail), tail))

    return handler


def answering(data: bytes, close: bool = False) -> Handler:
    async def handler(asked: Asked) -> None:
        await asked.answer(data)
        if close:
            asked.writer.close()

    return handler


async def silent(asked: Asked) -> None:
    await asyncio.sleep(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
