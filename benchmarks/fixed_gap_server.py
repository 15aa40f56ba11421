"""A server whose truth is known: the first token GAP seconds after the request, then one every GAP seconds.

``python -m benchmarks.fixed_gap_server PORT GAP TOKENS``. Uses uvloop where it is installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any, cast

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def framed(event: dict[str, object] | str) -> bytes:
    text = event if isinstance(event, str) else json.dumps(event)
    data = b"data: " + text.encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunk(delta: dict[str, str], finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}
    return framed({**common, "choices": [choice]})


class FixedGap(asyncio.Protocol):
    """One connection; requests come one after the other."""

    gap_seconds = 0.01
    tokens = 64
    token = chunk({"content": " tok"}, None)
    end = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.loop = asyncio.get_running_loop()
        self.buffer = b""
        self.sent = 0

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = next(int(v) for k, _, v in (h.partition(b":") for h in head.lower().split(b"\r\n"))
                      if k == b"content-length")  # fmt: skip
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        self.sent = 0
        self.transport.write(HEAD)
        self.loop.call_later(self.gap_seconds, self.tick)

    def tick(self) -> None:
        if self.transport.is_closing():
            return
        self.sent += 1
        self.transport.write(self.token)
        if self.sent < self.tokens:
            self.loop.call_later(self.gap_seconds, self.tick)
        else:
            self.transport.write(self.end)


async def serve(port: int, gap_seconds: float, tokens: int) -> None:
    usage = {"prompt_tokens": 8, "completion_tokens": tokens, "total_tokens": 8 + tokens}
    FixedGap.gap_seconds, FixedGap.tokens = gap_seconds, tokens
    FixedGap.end = (
        chunk({}, "stop") + framed({"choices": [], "usage": usage}) + framed("[DONE]") + b"0\r\n\r\n"
    )
    server = await asyncio.get_running_loop().create_server(FixedGap, "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


def main() -> None:
    port, gap_seconds, tokens = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    run: Any = asyncio.run
    with contextlib.suppress(ImportError):
        from uvloop import run
    run(serve(port, gap_seconds, tokens))


if __name__ == "__main__":
    main()
