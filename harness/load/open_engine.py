"""Which engine sends a slice: the compiled core for plain HTTP, the portable one for TLS and gRPC."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import gevent

from harness.arrivals.plan import Plan
from harness.core.engine import CoreEngine, CoreSettings
from harness.load.call_factory import CallFactory
from harness.load.calls import Asks
from harness.load.client import Client
from harness.load.endpoint import Endpoint, resolve_endpoint
from harness.load.engine import Engine
from harness.load.native_engine import NativeEngine
from harness.load.portable_engine import EngineSettings, PortableEngine
from harness.load.precedence import nice_of_each
from harness.load.transport import AnyCalls, AnySender, open_transport
from harness.measure.record_batch import RecordBatch
from harness.preflight.judge import CONNECTIONS_PER_THREAD
from harness.scenario.model import Scenario

OnRecords = Callable[[RecordBatch], None]


@dataclass(frozen=True, slots=True)
class Slice:
    """What an engine sends, for which run, and how much of it may be open at once."""

    run_id: str
    worker: int
    plan: Plan
    asks: Asks
    max_in_flight: int
    keep_gaps: bool = False


def open_engine(scenario: Scenario, part: Slice, on_records: OnRecords) -> Engine:
    """Return an engine that is ready to start; ``on_records`` takes every record.

    Raises UsageError and TargetUnreachableError. Call it from a greenlet: the resolver waits.
    """
    if scenario.target.protocol == "vllm-grpc":
        client, calls = open_transport(
            scenario.target, part.run_id, scenario.trace_sample_share, keep_gaps=part.keep_gaps
        )
        return _engine_over(client, calls, scenario, part, on_records)
    endpoint = resolve_endpoint(scenario.target)
    opener = portable_engine if endpoint.tls else native_engine
    return opener(scenario, part, endpoint, on_records)


def native_engine(scenario: Scenario, part: Slice, endpoint: Endpoint, on_records: OnRecords) -> NativeEngine:
    """Return an engine over the compiled core, with as many threads as the connections need."""
    threads = math.ceil(part.max_in_flight / CONNECTIONS_PER_THREAD)
    limit = math.ceil(part.max_in_flight / threads)
    settings = CoreSettings(
        drain_ns=round(scenario.drain * 1e9),
        connect_ns=endpoint.timeouts.connect_ns,
        read_ns=endpoint.timeouts.read_ns,
        request_ns=endpoint.timeouts.request_ns,
        stages=len(scenario.stages),
        max_in_flight=limit,
        max_idle=limit,
        reuse=endpoint.reuse,
        keep_gaps=part.keep_gaps,
        nice=nice_of_each(threads),
    )
    head = endpoint.head.line_and_headers + f"x-tidegate-run: {part.run_id}\r\n".encode()
    sources = endpoint.source_addresses
    cores = [CoreEngine(settings, endpoint.addresses, head, sources) for _ in range(threads)]
    share = scenario.trace_sample_share
    return NativeEngine(
        part.worker, len(scenario.stages), part.plan, part.asks, cores, part.run_id, share, on_records
    )


def portable_engine(
    scenario: Scenario, part: Slice, endpoint: Endpoint, on_records: OnRecords
) -> PortableEngine:
    """Return an engine in Python, on gevent's hub."""
    client = Client(gevent.get_hub().loop, endpoint, part.max_in_flight)
    share = scenario.trace_sample_share
    calls = CallFactory(endpoint, part.run_id, share, keep_gaps=part.keep_gaps)
    return _engine_over(client, calls, scenario, part, on_records)


def _engine_over(
    client: AnySender, calls: AnyCalls, scenario: Scenario, part: Slice, on_records: OnRecords
) -> PortableEngine:
    settings = EngineSettings(part.worker, len(scenario.stages), part.max_in_flight, scenario.drain)
    return PortableEngine(settings, part.plan, part.asks, calls, client, on_records)
