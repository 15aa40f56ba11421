"""A worker's metrics page: opened before the load, closed once its last state was read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Protocol

import gevent
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from harness.load.counts import EngineStats
from harness.measure.histogram import LogHistogram
from harness.scenario.model import Scenario
from harness.scenario.objective import objectives
from harness.telemetry.engine_metrics import EngineCollector, EngineReading
from harness.telemetry.metrics import HarnessMetrics
from harness.telemetry.run_metrics import RunFacts, RunMetrics
from harness.verdict.validity import default_lateness_limit_seconds

LINGER_SECONDS = 10.0
"""Two periods of the slowest scrape that we advise."""
_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 0.2  # a read is counted when it begins


class Driven(Protocol):
    """What the page tells of: an open loop's engine, or a locustfile's users."""

    listeners: list[Any]

    @property
    def loop_lag(self) -> LogHistogram:
        """How late the sending loop came round."""

    def stats(self) -> EngineStats:
        """The counts so far."""


class Storing(Protocol):
    """Where records go, as far as it can lose some."""

    lost: int


class MetricsPage:
    """Serves while it exists. Raises OSError where the port is taken."""

    def __init__(self, scenario: Scenario, run_id: str, port: int, engine: Driven, sink: Storing) -> None:
        registry = CollectorRegistry()
        wanted = objectives(scenario)
        metrics = HarnessMetrics(registry, wanted, [stage.name for stage in scenario.stages])
        default, limits = default_lateness_limit_seconds(wanted), scenario.limits
        facts = RunFacts(
            run_id,
            scenario,
            version("tidegate"),
            limits.schedule_delay_p99 or default,
            limits.loop_lag_p99 or default,
        )
        self._run = RunMetrics(registry, facts, metrics.objectives)
        self._reads = _ReadCounter()
        registry.register(EngineCollector(lambda: _read(engine, sink)))
        registry.register(self._reads)
        engine.listeners.append(metrics.observe_batch)
        self._server, _ = start_http_server(port, addr="127.0.0.1", registry=registry)

    def start(self, wall_ns: int) -> None:
        """Tell when the run's clock begins, in nanoseconds since 1970."""
        self._run.start(wall_ns / 1e9)

    def close(self) -> None:
        """Wait until somebody who has read the page reads its last state, 10 s at most, and end it.

        Without that, up to a scrape's period of counts would be missing in Prometheus.
        """
        last, end_by = self._reads.count, time.monotonic() + LINGER_SECONDS
        while last and self._reads.count == last and time.monotonic() < end_by:
            gevent.sleep(_POLL_SECONDS)
        gevent.sleep(_ANSWER_SECONDS)
        gevent.get_hub().threadpool.apply(self._server.shutdown)
        self._server.server_close()


class _ReadCounter(Collector):
    """Counts how often the page was read; tells nothing itself."""

    def __init__(self) -> None:
        self.count = 0

    def collect(self) -> Iterator[Metric]:
        self.count += 1
        return iter(())


def _read(engine: Driven, sink: Storing) -> EngineReading:
    stats = engine.stats()
    return EngineReading(
        arrivals=stats.offered,
        sent=stats.sent + stats.in_flight,  # the count is of ended requests
        in_flight=stats.in_flight,
        reconnects=stats.reconnects,
        records_lost=sink.lost,
        loop_lag=engine.loop_lag,
    )
