"""One worker's engine over a plan written here: the real parts, without the processes around them."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import numpy as np

from harness.arrivals.plan import Plan
from harness.load.endpoint import resolve_endpoint
from harness.load.native_engine import NativeEngine
from harness.load.open_engine import Slice, native_engine, portable_engine
from harness.load.quiet_gc import quiet_gc
from harness.load.sink import RecordSink
from harness.load.slice_run import SWITCH_INTERVAL_SECONDS, raise_descriptor_limit
from harness.measure.record_batch import RecordBatch
from harness.scenario.model import Rate, Scenario, Stage, Target
from harness.workload import Ask


class Same:
    """Asks the same of every request."""

    def __init__(self, stream: bool, tokens: int) -> None:
        body = {"model": "m", "stream": stream, "max_tokens": tokens}
        self._ask = Ask({**body, "messages": [{"role": "user", "content": "word " * 8}]}, 8, tokens)

    def ask(self, *_: Any) -> Ask:
        return self._ask


@dataclass
class Driven:
    """A finished drive: its records, and what it took in seconds of one core and of the clock."""

    records: RecordBatch
    cpu_seconds: float
    wall_seconds: float
    engine: Any

    @property
    def late_ms(self) -> Any:
        return (self.records.sent_ns - self.records.intended_ns)[self.records.was_sent] / 1e6

    @property
    def ttft_ms(self) -> Any:
        return (self.records.first_token_ns - self.records.intended_ns)[self.records.ok] / 1e6


@contextmanager
def like_a_worker(core: int | None) -> Iterator[None]:
    """Set this process up as a worker does, on one core."""
    raise_descriptor_limit()
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    if core is not None:
        os.sched_setaffinity(0, {core})
    with quiet_gc():
        yield


def constant_plan(rate: float, seconds: float) -> Plan:
    n = int(rate * seconds)
    return Plan(np.arange(n) / rate, np.zeros(n, np.uint8), np.arange(n, dtype=np.int64))


def make(
    url: str,
    plan: Plan,
    on_records: Callable[[RecordBatch], None],
    *,
    stream: bool,
    tokens: int,
    native: bool,
) -> Any:
    """Return an engine, native or portable, that asks the same of every request."""
    scenario = Scenario(
        name="bench",
        target=Target(url=url, model="m", stream=stream),
        drain=5.0,
        stages=(Stage(name="only", duration=1.0, rate=Rate(1.0, "/s")),),
    )
    part = Slice("bench", 0, plan, Same(stream, tokens), max_in_flight=19_000)
    opener = native_engine if native else portable_engine
    return opener(scenario, part, resolve_endpoint(scenario.target), on_records)


def open_loop(url: str, plan: Plan, *, stream: bool, tokens: int, native: bool = True) -> Driven:
    """Drive a plan to its end; every record goes to Parquet as in a run."""
    batches: list[RecordBatch] = []
    with tempfile.TemporaryDirectory() as folder:
        sink = RecordSink(Path(folder) / "records-0.parquet")

        def keep(batch: RecordBatch) -> None:
            batches.append(batch)
            sink.add(batch)

        engine = make(url, plan, keep, stream=stream, tokens=tokens, native=native)
        cpu, began = time.process_time(), time.monotonic()
        engine.start(time.monotonic_ns() + 300_000_000)
        engine.finished.wait()
        sink.close()
        assert sink.recorded == len(plan)
        took = time.process_time() - cpu, time.monotonic() - began
    if isinstance(engine, NativeEngine):
        assert engine.fault is None
    return Driven(RecordBatch.concat(batches), *took, engine)


CLEAN_LATE_P99_MS = 5.0
_TAIL_SECONDS = 0.1


def kept_up(driven: Driven, seconds: float, answer_seconds: float) -> bool:
    """Say whether sends were on time, and the answers, of ``answer_seconds`` each, too.

    A load that a slower server drags out would else count as taken in within the seconds in which it was due.
    """
    took_seconds = float(driven.records.end_ns.max() - driven.records.intended_ns.min()) / 1e9
    on_time = np.percentile(driven.late_ms, 99) <= CLEAN_LATE_P99_MS
    return bool(
        driven.records.ok.all() and on_time and took_seconds <= seconds + answer_seconds + _TAIL_SECONDS
    )


def wait_a_moment() -> None:
    """Let sockets of the drive before close."""
    gevent.sleep(0.5)
