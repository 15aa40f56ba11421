"""An engine over a plan written by hand, without scenario files and worker processes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness.arrivals.plan import Plan
from harness.load.endpoint import resolve_endpoint
from harness.load.engine import Engine
from harness.load.native_engine import NativeEngine
from harness.load.open_engine import Slice, native_engine, portable_engine
from harness.measure.record import RequestRecord
from harness.measure.record_batch import RecordBatch
from harness.scenario.model import Rate, Scenario, Stage, Target
from harness.workload import Ask
from tests.harness.measure.build import requests_in


@dataclass
class Hello:
    """A workload that always asks the same."""

    stream: bool = True
    body: dict[str, Any] = field(default_factory=dict)

    def ask(self, seq: int, stage: int, input_tokens: int | None, output_tokens: int | None) -> Ask:
        body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": self.stream}
        return Ask({**body, **self.body}, input_tokens_requested=5, max_tokens=3)


def plan_at(*offsets_seconds: float) -> Plan:
    n = len(offsets_seconds)
    return Plan(np.array(offsets_seconds, float), np.zeros(n, np.uint8), np.arange(n, dtype=np.int64))


@dataclass
class Bench:
    """An engine and the records that it made."""

    engine: Engine
    batches: list[RecordBatch]

    @property
    def records(self) -> list[RequestRecord]:
        return [record for batch in self.batches for record in requests_in(batch)]

    def start(self, lead_seconds: float = 0.02) -> None:
        self.engine.start(time.monotonic_ns() + int(lead_seconds * 1e9))

    def run(self, timeout_seconds: float = 20) -> list[RequestRecord]:
        self.start()
        return self.wait(timeout_seconds)

    def wait(self, timeout_seconds: float = 20) -> list[RequestRecord]:
        assert self.engine.finished.wait(timeout_seconds), "the engine did not finish"
        if self.engine.fault is not None:
            raise self.engine.fault
        return sorted(self.records, key=lambda record: record.seq)

    def hold(self, seconds: float) -> None:
        """Let the sending loop stand still, as under SIGSTOP."""
        if isinstance(self.engine, NativeEngine):
            for core in self.engine.cores:
                core.hold(seconds)
        else:
            time.sleep(seconds)


def bench(
    url: str,
    plan: Plan,
    *,
    native: bool = True,
    max_in_flight: int = 1000,
    drain_seconds: float = 5.0,
    stream: bool = True,
    asks: Any = None,
    dead_addresses: tuple[tuple[int, Any], ...] = (),
    **target: Any,
) -> Bench:
    scenario = Scenario(
        name="bench",
        target=Target(url=url, model="m", stream=stream, **target),
        drain=drain_seconds,
        trace_sample_share=1.0,
        stages=(Stage(name="only", duration=1.0, rate=Rate(1.0, "/s")),),
    )
    endpoint = resolve_endpoint(scenario.target)
    endpoint = replace(endpoint, addresses=(*dead_addresses, *endpoint.addresses))
    part = Slice("run", 0, plan, asks or Hello(stream), max_in_flight, keep_gaps=True)
    batches: list[RecordBatch] = []
    opener = native_engine if native else portable_engine
    return Bench(opener(scenario, part, endpoint, batches.append), batches)
