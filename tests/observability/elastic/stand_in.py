"""The part of Elasticsearch that a shipper sees, in memory: for faults that come by the thousand.

Like the real one, a data stream has backing indices of which the last is written, ``create`` refuses an id
only within that one, a closed index takes no writes, and a bulk answer tells of each item. What the real one
does is held by the tests under ``tests/stack``; this one is for speed and for failures on demand.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass
class Index:
    name: str
    documents: dict[str, Json] = field(default_factory=dict)
    closed: bool = False


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that are killed leave half a request."""


class StandIn:
    """``plan`` is asked before each bulk request and may return a fault: see ``Handler._bulk``."""

    def __init__(self) -> None:
        self.streams: dict[str, list[Index]] = {}
        self.templates: set[str] = set()
        self.plan: Callable[[list[tuple[str, str]]], Json] = lambda _ids: {}
        self.bulks: list[list[str]] = []
        self.encodings: Counter[str] = Counter()
        self.lock = threading.RLock()
        self._server = _QuietServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def roll_over(self, stream: str) -> None:
        with self.lock:
            if indices := self.streams.get(stream):
                indices.append(self._index(stream, len(indices) + 1))

    def copies(self, stream: str) -> Counter[str]:
        """How many indices hold each id."""
        with self.lock:
            return Counter(key for index in self.streams.get(stream, ()) for key in index.documents)

    def write_index(self, stream: str) -> Index:
        return self.streams.setdefault(stream, [self._index(stream, 1)])[-1]

    def index(self, name: str) -> Index:
        return next(i for indices in self.streams.values() for i in indices if i.name == name)

    def create(self, stream: str, key: str, source: Json) -> Json:
        index = self.write_index(stream)
        if key in index.documents:
            return {
                "_index": index.name,
                "status": 409,
                "error": {"type": "version_conflict_engine_exception"},
            }
        index.documents[key] = source
        return {"_index": index.name, "status": 201}

    @staticmethod
    def _index(stream: str, generation: int) -> Index:
        return Index(f".ds-{stream}-2026.01.01-{generation:06d}")


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # one segment an answer: two would wait for each other's acknowledgement, 40 ms
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            """Answer by the path alone: the client's choice of verb is its own affair."""
            path, body = self.path.partition("?")[0], self._body()
            if path == "/_bulk":
                self._bulk(list(_pairs(body)))
            elif path.startswith("/_nodes"):
                self._answer(200, {"nodes": {"n": {"modules": [{"name": "apm"}]}}})
            elif match := re.fullmatch(r"/_resolve/index/(.+)", path):
                self._resolve(match[1])
            elif match := re.fullmatch(r"/_index_template/(.+)", path):
                stand_in.templates.add(match[1])
                self._answer(200, {"acknowledged": True})
            elif match := re.fullmatch(r"/(.+)/_block/write", path):
                stand_in.index(match[1]).closed = True
                self._answer(200, {"acknowledged": True})
            elif match := re.fullmatch(r"/(.+)/_mget", path):
                held = stand_in.index(match[1]).documents
                self._answer(200, {"docs": [{"_id": k, "found": k in held} for k in json.loads(body)["ids"]]})
            else:
                self._answer(405, {"error": {"type": "unknown_path", "reason": path}})

        do_GET = do_PUT = do_POST  # noqa: N815 - the server's names

        def _resolve(self, stream: str) -> None:
            with stand_in.lock:
                names = [index.name for index in stand_in.streams.get(stream, ())]
            if not names:
                self._answer(404, {"error": {"type": "index_not_found_exception"}})
            else:
                self._answer(200, {"data_streams": [{"name": stream, "backing_indices": names}]})

        def _bulk(self, operations: list[tuple[str, Json, Json]]) -> None:
            """``status`` answers for all, ``lose`` stores and hangs up, ``items`` fails some, as ``type``."""
            with stand_in.lock:
                creates = [(meta["_index"], meta["_id"]) for verb, meta, _ in operations if verb == "create"]
                fault = stand_in.plan(creates) if creates else {}
                stand_in.bulks.append([key for _, key in creates])
                if "status" in fault:
                    return self._answer(fault["status"], {"error": {"type": "fault", "reason": "on demand"}})
                items = [self._one(*operation, fault) for operation in operations]
            if fault.get("lose"):
                self.close_connection = True
                return None
            return self._answer(200, {"items": items})

        def _one(self, verb: str, meta: Json, source: Json, fault: Json) -> Json:
            key = meta["_id"]
            if verb == "delete":
                held = stand_in.index(meta["_index"]).documents
                return {"delete": {"status": 200 if held.pop(key, None) is not None else 404}}
            if status := fault.get("items", {}).get(key):
                error = {"type": fault.get("type", "fault"), "reason": "on demand"}
                return {"create": {"_index": meta["_index"], "status": status, "error": error}}
            return {"create": stand_in.create(meta["_index"], key, source)}

        def _body(self) -> bytes:
            length = int(self.headers.get("content-length", 0))
            data = self.rfile.read(length)
            if len(data) < length:
                raise ConnectionError("the client was killed while it sent")
            encoding = self.headers.get("content-encoding", "")
            stand_in.encodings[encoding] += 1
            return gzip.decompress(data) if encoding == "gzip" else data

        def _answer(self, status: int, told: Json) -> None:
            data = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=9")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _pairs(body: bytes) -> Iterator[tuple[str, Json, Json]]:
    lines = iter(body.splitlines())
    for line in lines:
        ((verb, meta),) = json.loads(line).items()
        yield verb, meta, {} if verb == "delete" else json.loads(next(lines))
