"""A plain blocking client: what it sees is what went over the wire."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from observability.trace_ids import span_id, trace_id, traceparent

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


@dataclass
class Seen:
    """``token_ns``: when each read with content returned. ``ended``: done, eof or reset."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    sent_ns: int = 0
    token_ns: list[int] = field(default_factory=list)
    ended: str = "done"

    @property
    def events(self) -> list[str]:
        """The data of every SSE event."""
        text = _without_chunks(self.body).decode()
        return [event.removeprefix("data: ") for event in text.split("\n\n") if event]

    @property
    def tokens(self) -> int:
        """How many events carry text."""
        return sum('"content":" token"' in e or '"text":" token"' in e for e in self.events)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One keep-alive connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, path: str = CHAT, *, seq: int | None = None, golden: str = "", **body: Any) -> Seen:
        """Ask for an answer: streamed unless ``stream=False``; ``seq`` makes the trace id."""
        content = {"messages": [], "stream": True, **body, **({"golden": golden} if golden else {})}
        return self.send(path, json.dumps(content).encode(), _trace(seq))

    def send(self, path: str, body: bytes, headers: str = "", method: str = "POST") -> Seen:
        """Send these very bytes and read the answer to its end."""
        head = f"{method} {path} HTTP/1.1\r\nHost: golden\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        seen = Seen(sent_ns=time.monotonic_ns())
        self.socket.sendall(head.encode() + body)
        return self.read(seen)

    def get(self, path: str) -> Seen:
        return self.send(path, b"", method="GET")

    def read(self, seen: Seen) -> Seen:
        received = bytearray()
        while not _complete(received):
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                seen.ended = "reset"
                break
            if not data:
                seen.ended = "eof"
                break
            if b" token" in data:
                seen.token_ns.append(time.monotonic_ns())
            received += data
        head, _, seen.body = bytes(received).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        seen.status = int(lines[0].split(" ")[1]) if lines[0] else 0
        seen.headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        return seen


@contextmanager
def connected(url: str) -> Iterator[Client]:
    client = Client(url)
    with client.socket:
        yield client


def trace_of(seq: int) -> str:
    return trace_id("test", seq)


def _trace(seq: int | None) -> str:
    if seq is None:
        return ""
    return f"traceparent: {traceparent(trace_of(seq), span_id('test', seq), sampled=False)}\r\n"


def _complete(received: bytearray) -> bool:
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    head = bytes(received[:head_end]).lower()
    if b"chunked" in head:
        return received.endswith(b"\r\n0\r\n\r\n") or len(received) == head_end + 4 + len("0\r\n\r\n")
    length = head.split(b"content-length: ")[1].split(b"\r\n")[0]
    return len(received) >= head_end + 4 + int(length)


def _without_chunks(body: bytes) -> bytes:
    parts, at = [], 0
    while at < len(body):
        data_at = body.index(b"\r\n", at) + 2
        size = int(body[at : data_at - 2], 16)
        parts.append(body[data_at : data_at + size])
        at = data_at + size + 2
    return b"".join(parts)
