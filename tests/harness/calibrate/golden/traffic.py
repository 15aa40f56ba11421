"""Requests as careless clients send them: what every build of the golden target must live through."""

from __future__ import annotations

import json
import socket
import struct
import time

from tests.harness.calibrate.golden.client import CHAT, Client, Seen, connected

RESET = struct.pack("ii", 1, 0)


def request(path: str = CHAT, headers: str = "", **body: object) -> bytes:
    """Return a request's bytes: an answer in one piece unless ``stream=True``."""
    content = json.dumps(body).encode()
    return f"POST {path} HTTP/1.1\r\n{headers}Content-Length: {len(content)}\r\n\r\n".encode() + content


def ask_byte_by_byte(url: str) -> list[int]:
    """Send two requests a byte at a time; return the tokens of their answers."""
    with connected(url) as client:
        return [_answer_to_bytes(client, max_tokens).tokens for max_tokens in (2, 3)]


def ask_ahead(url: str, requests: int) -> list[int]:
    """Send many requests in one piece; return the counts of tokens that their answers tell, in order."""
    with connected(url) as client:
        client.socket.sendall(
            b"".join(request(max_tokens=1 + n, golden="ttft=0s,gap=0s") for n in range(requests))
        )
        return _told_tokens(client, requests)


def leave_by_resets(url: str, clients: int, tokens: int = 100) -> None:
    """Open streams, read a little of each, and reset the connections."""
    for _ in range(clients):
        with connected(url) as client:
            client.socket.sendall(request(stream=True, max_tokens=tokens, golden="ttft=0s,gap=2ms"))
            client.socket.recv(100)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def read_slowly(url: str, tokens: int) -> Seen:
    """Ask for more than the sockets hold, wait, and read it all."""
    with connected(url) as client:
        client.socket.sendall(request(stream=True, max_tokens=tokens, golden="ttft=0s,gap=0s"))
        time.sleep(0.3)
        return client.read(Seen())


def send_too_far_ahead(url: str, size: int) -> str:
    """Send ``size`` bytes behind a request whose answer is still to come; return how the connection ends."""
    with connected(url) as client:
        try:
            client.socket.sendall(request(stream=True, max_tokens=2, golden="ttft=10s") + bytes(size))
        except OSError:
            return "reset"
        return client.read(Seen()).ended


def _answer_to_bytes(client: Client, max_tokens: int) -> Seen:
    for byte in request(headers="X-Golden: TTFT=1ms\r\n", stream=True, max_tokens=max_tokens):
        client.socket.sendall(bytes([byte]))
    return client.read(Seen())


def _told_tokens(client: Client, answers: int) -> list[int]:
    received, told = b"", []
    while len(told) < answers:
        head, _, rest = received.partition(b"\r\n\r\n")
        length = int(head.rpartition(b"Content-Length: ")[2] or 0) if rest else 1
        if rest and len(rest) >= length:
            told.append(json.loads(rest[:length])["usage"]["completion_tokens"])
            received = rest[length:]
        else:
            received += client.socket.recv(1 << 16)
    return told
