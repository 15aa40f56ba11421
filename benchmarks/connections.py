"""What an open stream costs, and how soon many are open.

``python -m benchmarks.connections [STREAMS] [WORKERS]``: by default 20,000 streams; a hundred thousand is the
goal's size. The reference for the client's memory is what Locust's own users stand on: geventhttpclient with
one greenlet for each stream, against the same target.
"""

from __future__ import annotations

import gc
import subprocess
import sys

from benchmarks.figures import say
from benchmarks.held import Held, held, resident_bytes, run
from harness.calibrate.golden.running import golden

STREAMS = 20_000
REFERENCE_STREAMS = 2_000
GOAL_CLIENT_BYTES = 2_560
GOAL_OPEN_SECONDS = 5.0
HOLD_SECONDS = 24.0
GAP_SECONDS = 3.0
BARE_KERNEL_BYTES = 10_240  # of both ends, as bare sockets in C-like Python took


def main() -> None:
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else STREAMS
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else None
    reference = reference_bytes_per_stream()
    scenario, timetable = held(streams, max(0.2, streams / 30_000), HOLD_SECONDS, GAP_SECONDS)
    report(run(scenario, timetable, workers), reference)


def report(done: Held, reference: float) -> None:
    streams = done.summary.open_streams
    assert streams is not None, "no worker watched its streams"
    size = {"streams": streams.peak, "workers": len(streams.workers), "target_processes": done.processes}
    client = streams.client_bytes_per_stream
    say("client_bytes_per_stream", client, "B", "goal", GOAL_CLIENT_BYTES, **size)
    say("client_bytes_per_stream", client, "B", "geventhttpclient, a greenlet each", reference, **size)
    kernel = streams.kernel_bytes_per_stream
    say("kernel_bytes_per_stream", kernel, "B", "bare probe", BARE_KERNEL_BYTES, **size)
    say("target_bytes_per_stream", done.target_bytes_per_stream, "B", "bare probe", 1_372, **size)
    say("all_open_seconds", streams.all_open_seconds, "s", "goal", GOAL_OPEN_SECONDS, **size)
    say("errors", done.failed, "requests", "goal", 0, offered=done.summary.whole.offered)
    say("count_difference", count_difference(done), "requests", "goal", 0)
    say("memory_taken", streams.taken_bytes / 2**30, "GiB", "none", 0, **size)


def count_difference(done: Held) -> int:
    """Return by how many answers client and target disagree."""
    counts = done.summary.reconciliation
    assert counts is not None, "the target's counts could not be read"
    return abs((counts.server_requests or 0) - counts.client_requests)


def reference_bytes_per_stream() -> float:
    """Measure in a process of its own: this one's memory is not fresh."""
    with golden(f"ttft=0ms,gap={GAP_SECONDS:g}s") as target:
        command = [sys.executable, "-m", "benchmarks.connections", "--reference", target.url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(done.stdout)


def reference_client(url: str) -> None:
    """Hold streams with a greenlet each, and print the resident bytes of one."""
    import gevent
    from geventhttpclient import HTTPClient

    body = '{"model":"golden","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hello"}]}'
    headers = {"Content-Type": "application/json"}
    answers = []

    def hold() -> None:
        client = HTTPClient.from_url(url, connection_timeout=30, network_timeout=30)
        answer = client.post("/v1/chat/completions", body, headers)
        answers.append((client, answer, answer.read(64)))

    gevent.joinall([gevent.spawn(hold)])  # what the first one loads is not the others' cost
    gc.collect()
    before = resident_bytes(("self",))
    gevent.joinall([gevent.spawn(hold) for _ in range(REFERENCE_STREAMS)], raise_error=True)
    print((resident_bytes(("self",)) - before) / REFERENCE_STREAMS)


if __name__ == "__main__":
    if "--reference" in sys.argv:
        reference_client(sys.argv[-1])
    else:
        main()
