"""An HTTP server that stands in for Grafana or Kibana: it keeps what it is given, and notes each call."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Call:
    """One request; ``body`` is the JSON document, or the bytes where it is none."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


Answer = Callable[[Call], tuple[int, Any]]


@dataclass(slots=True)
class StandIn:
    """Where it listens, and what it was asked."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)

    @property
    def writes(self) -> list[Call]:
        """Return the calls that change something."""
        return [call for call in self.calls if call.method != "GET"]


@contextmanager
def stand_in(answer: Answer) -> Iterator[StandIn]:
    """Serve ``answer``, which returns (status, JSON document)."""
    seen = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            is_json = "json" in self.headers.get("Content-Type", "") and raw
            url = urlsplit(self.path)
            body = json.loads(raw) if is_json else raw
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.command, url.path, parse_qs(url.query), headers, body)
            seen.calls.append(call)
            status, document = answer(call)
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    seen.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
