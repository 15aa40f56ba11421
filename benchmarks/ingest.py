"""How fast one worker takes in streams, and how true its times are.

The server's truth is a first token after 10 ms and one more every 10 ms. It runs on one core, the worker on
another. Requests, parsing, records and Parquet are the real ones. ``python -m benchmarks.ingest [SECONDS]``
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import numpy as np

from harness.arrivals import Plan
from harness.load.call import Call
from harness.load.call_factory import CallFactory
from harness.load.client import Client
from harness.load.endpoint import Endpoint, resolve_endpoint
from harness.load.engine import Engine, EngineSettings
from harness.load.gaps import GapRecorder
from harness.load.lag import Ticker
from harness.load.quiet_gc import quiet_gc
from harness.load.sink import RecordSink
from harness.load.slice_run import SWITCH_INTERVAL_SECONDS, raise_descriptor_limit
from harness.measure.record import Outcome, RequestRecord
from harness.scenario.model import Target
from harness.workload import Ask

GAP_SECONDS = 0.01
TOKENS = 64
STREAMS = 3000
RATE_PER_SECOND = 1000
GOAL_TOKENS_PER_SECOND = 250_000


class Same:
    """Asks the same of every request."""

    def ask(self, *_: Any) -> Ask:
        messages = [{"role": "user", "content": "word " * 32}]
        return Ask({"model": "m", "stream": True, "messages": messages, "max_tokens": TOKENS}, 32, TOKENS)


class Saturated:
    """A constant number of open streams: each answer is followed by the next question."""

    def __init__(self, endpoint: Endpoint, folder: Path) -> None:
        loop: Any = gevent.get_hub().loop
        self.client = Client(loop, endpoint, STREAMS)
        self.calls = CallFactory(endpoint, "bench", 0.0)
        self.gaps = GapRecorder(1)
        self.sink = RecordSink(folder / "records-0.parquet")
        self.ticker = Ticker(loop, self.tick)
        self.ok = self.failed = self.seq = 0
        self.going = True

    def tick(self, now_ns: int) -> None:
        self.client.tick(now_ns)
        self.gaps.flush()

    def send(self) -> None:
        self.seq += 1
        now_ns, take = time.monotonic_ns(), self.gaps.taker(0)
        self.client.submit(self.calls.make(Same().ask(), self.seq, 0, now_ns, take, self.done))

    def done(self, call: Call) -> None:
        self.sink.add(call.to_record(0, 0))
        self.ok += call.exchange.outcome is Outcome.OK
        self.failed += call.exchange.outcome is not Outcome.OK
        if self.going:
            self.send()

    def tokens(self) -> int:
        return sum(call.exchange.chunks for call in self.client.open_calls) + self.ok * TOKENS

    def run(self, seconds: float) -> tuple[float, float, float]:
        """Return tokens/s, the share of a core, and the loop's p99 lag in seconds, warmed up."""
        self.ticker.start()
        for number in range(STREAMS):
            self.send()
            if number % 50 == 0:
                gevent.sleep(0.001)
        gevent.sleep(2.0)
        tokens, cpu, began = self.tokens(), time.process_time(), time.monotonic()
        gevent.sleep(seconds)
        took = time.monotonic() - began
        rate, share = (self.tokens() - tokens) / took, (time.process_time() - cpu) / took
        self.going = False
        self.client.cancel_all()
        self.ticker.stop()
        self.sink.close()
        assert self.failed <= STREAMS, f"{self.failed} requests failed"
        return rate, share, self.ticker.lag.quantile(0.99)


def scheduled(endpoint: Endpoint, rate: int, seconds: float, folder: Path) -> list[RequestRecord]:
    """Send ``rate`` requests a second by the clock, through the whole engine."""
    n = int(rate * seconds)
    plan = Plan(np.arange(n) / rate, np.zeros(n, np.uint8), np.arange(n, dtype=np.int64))
    records: list[RequestRecord] = []
    sink = RecordSink(folder / "records-1.parquet")

    def keep(record: RequestRecord) -> None:
        records.append(record)
        sink.add(record)

    client = Client(gevent.get_hub().loop, endpoint, 10_000)
    settings = EngineSettings(worker=0, stages=1, max_in_flight=10_000, drain_seconds=5)
    engine = Engine(settings, plan, Same(), CallFactory(endpoint, "bench", 0.05), client, keep)
    engine.start(time.monotonic_ns() + 100_000_000)
    engine.finished.wait()
    sink.close()
    return records


@contextmanager
def server(core: int | None) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "benchmarks.fixed_gap_server", str(port), str(GAP_SECONDS), str(TOKENS)]
    process = subprocess.Popen(command)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        _wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the server did not start")


def say(name: str, value: float, unit: str, reference: str, reference_value: float, **more: Any) -> None:
    ratio = round(value / reference_value, 3) if reference_value else None
    line = {"name": name, "value": round(value, 3), "unit": unit, "reference": reference}
    print(json.dumps({**line, "reference_value": reference_value, "ratio": ratio, **more}), flush=True)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 6.0
    raise_descriptor_limit()
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    cores = sorted(os.sched_getaffinity(0))
    alone = len(cores) > 1
    with server(cores[0] if alone else None) as port, tempfile.TemporaryDirectory() as name, quiet_gc():
        if alone:
            os.sched_setaffinity(0, set(cores[1:2]))
        endpoint = resolve_endpoint(Target(url=f"http://127.0.0.1:{port}", model="m"))
        for rate in (200, RATE_PER_SECOND):
            report_times(scheduled(endpoint, rate, seconds, Path(name)), rate)
        report_ingest(*Saturated(endpoint, Path(name)).run(seconds))


def report_times(records: list[RequestRecord], rate: int) -> None:
    good = [r for r in records if r.outcome is Outcome.OK]
    ttft = np.array([(r.first_token_ns or 0) - r.intended_ns for r in good]) / 1e6
    late = np.array([(r.sent_ns or 0) - r.intended_ns for r in good]) / 1e6
    more = {"requests": len(records), "ok": len(good), "rate_per_second": rate}
    for q in (50, 99):
        say(f"ttft_p{q}", float(np.percentile(ttft, q)), "ms", "truth", GAP_SECONDS * 1e3, **more)
    say("schedule_delay_p99", float(np.percentile(late, 99)), "ms", "goal", 1.0, **more)


def report_ingest(rate: float, share: float, lag_p99_seconds: float) -> None:
    more = {"streams": STREAMS, "core_share": round(share, 3)}
    say("ingest_rate", rate, "tokens/s", "goal", GOAL_TOKENS_PER_SECOND, **more)
    say("ingest_per_core", rate / share, "tokens/s/core", "goal", GOAL_TOKENS_PER_SECOND, **more)
    say("loop_lag_p99", lag_p99_seconds * 1e3, "ms", "goal", 5.0, **more)


if __name__ == "__main__":
    main()
