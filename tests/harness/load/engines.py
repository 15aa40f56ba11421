"""An engine over a plan written by hand, without scenario files and worker processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gevent
import numpy as np

from harness.arrivals.plan import Plan
from harness.load.call_factory import CallFactory
from harness.load.client import Client
from harness.load.endpoint import resolve_endpoint
from harness.load.engine import Engine, EngineSettings
from harness.measure.record import RequestRecord
from harness.scenario.model import Target
from harness.workload import Ask


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
    client: Client
    records: list[RequestRecord]

    def start(self, lead_seconds: float = 0.02) -> None:
        import time

        self.engine.start(time.monotonic_ns() + int(lead_seconds * 1e9))

    def run(self, timeout_seconds: float = 20) -> list[RequestRecord]:
        self.start()
        return self.wait(timeout_seconds)

    def wait(self, timeout_seconds: float = 20) -> list[RequestRecord]:
        assert self.engine.finished.wait(timeout_seconds), "the engine did not finish"
        if self.engine.fault is not None:
            raise self.engine.fault
        return sorted(self.records, key=lambda record: record.seq)


def bench(
    url: str,
    plan: Plan,
    *,
    max_in_flight: int = 1000,
    drain_seconds: float = 5.0,
    stream: bool = True,
    asks: Any = None,
    **target: Any,
) -> Bench:
    endpoint = resolve_endpoint(Target(url=url, model="m", stream=stream, **target))
    client = Client(gevent.get_hub().loop, endpoint, max_idle=max_in_flight)
    records: list[RequestRecord] = []
    engine = Engine(
        EngineSettings(worker=0, stages=1, max_in_flight=max_in_flight, drain_seconds=drain_seconds),
        plan,
        asks or Hello(stream),
        CallFactory(endpoint, "run", 1.0, keep_gaps=True),
        client,
        records.append,
    )
    return Bench(engine, client, records)
