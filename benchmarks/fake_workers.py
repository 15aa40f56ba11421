"""Many workers in one process, as a master sees them: ``python -m benchmarks.fake_workers PORT N OURS``.

Each has a socket of its own and sends, once a second, Locust's heartbeat and, where OURS is 1, a message as
a worker at 1,000 streams sends it; every third second Locust's statistics.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import msgspec
import numpy as np
import zmq
from locust.rpc.protocol import Message

from harness.load.messages import Counts, type_of
from harness.load.progress import sparse
from harness.measure.histogram import LogHistogram

_CODES = np.random.default_rng(1)


def lognormal(n: int, median_seconds: float, sigma: float) -> LogHistogram:
    histogram = LogHistogram()
    values = median_seconds * 1e9 * np.exp(sigma * _CODES.standard_normal(n))
    histogram.add_many(values.astype(np.int64))
    return histogram


def counts(worker: int, second: int) -> bytes:
    """250 requests and 16,000 gaps a second, as wide as a real model's under load."""
    done = 250 * second
    message = Counts(
        run_id="bench",
        worker=worker,
        offered=done + 1000,
        sent=done + 1000,
        completed=done,
        in_flight=1000,
        failed=0,
        rejected=0,
        good=done,
        ttft=sparse(lognormal(250, 0.3, 0.6)),
        gaps=sparse(lognormal(16_000, 0.02, 0.5)),
    )
    return msgspec.msgpack.encode(message)


class Fake:
    """One worker's socket."""

    def __init__(self, context: Any, port: int, index: int) -> None:
        self.name = f"host_{index}"
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.IDENTITY, self.name.encode())
        self.socket.connect(f"tcp://127.0.0.1:{port}")
        self.index = index
        self.send("client_ready", -1)

    def send(self, kind: str, data: Any) -> None:
        self.socket.send(Message(kind, data, self.name).serialize())

    def speak(self, second: int, ours: bytes | None) -> None:
        self.send("heartbeat", {"state": "ready", "current_cpu_usage": 50, "current_memory_usage": 10**8})
        if ours is not None:
            self.send(type_of(Counts), ours)
        if second % 3 == self.index % 3:
            self.send("stats", {"user_classes_count": {}, "user_count": 0, "stats": [], "errors": {}} | EMPTY)
        while self.socket.poll(0):
            self.socket.recv()


ENTRY = {
    **{"name": "Aggregated", "method": "", "last_request_timestamp": 0, "start_time": 0, "num_requests": 0},
    **{"num_none_requests": 0, "num_failures": 0, "total_response_time": 0, "max_response_time": 0},
    **{"min_response_time": 0, "total_content_length": 0, "response_times": {}, "num_reqs_per_sec": {}},
    "num_fail_per_sec": {},
}
EMPTY = {"stats_total": ENTRY}


def main() -> None:
    port, workers, ours = map(int, sys.argv[1:4])
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, workers + 100)
    fakes = [Fake(context, port, index) for index in range(workers)]
    variants = [[counts(0, second) for second in range(8)]]
    decoded = [msgspec.msgpack.decode(variant, type=Counts) for variant in variants[0]]
    began = time.monotonic()
    for second in range(10**6):
        for index, fake in enumerate(fakes):
            due = began + second + index / workers
            time.sleep(max(0.0, due - time.monotonic()))
            told = decoded[(second + index) % 8]
            message = msgspec.structs.replace(told, worker=index)
            fake.speak(second, msgspec.msgpack.encode(message) if ours else None)


if __name__ == "__main__":
    main()
