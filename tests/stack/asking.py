"""Ask a real component over HTTP, and wait for what it takes a moment to know."""

from __future__ import annotations

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

WAIT_SECONDS = 30.0


def ask(url: str, body: object = None) -> Any:
    """GET, or POST the body, as JSON; return the answer's JSON, None for an empty one."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def eventually(read: Callable[[], Any]) -> Any:
    """Return the first answer that is something, within the wait; 404 counts as nothing yet."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := _or_nothing(read)):
        assert time.monotonic() < deadline, "nothing came in time"
        time.sleep(0.2)
    return found


def _or_nothing(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return None


def span(trace_id: str, service: str) -> dict[str, Any]:
    """Return one OTLP request with one span of 5 ms that ends now."""
    now_ns = time.time_ns()
    one = {
        "traceId": trace_id, "spanId": secrets.token_hex(8), "name": "queue", "kind": 2,
        "startTimeUnixNano": str(now_ns - 5_000_000), "endTimeUnixNano": str(now_ns),
    }  # fmt: skip
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [one]}]}]}
