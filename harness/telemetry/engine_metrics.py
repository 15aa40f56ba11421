"""What an engine keeps by itself, read from it when the page is asked for: it costs nothing in between."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from harness.measure.histogram import LogHistogram
from observability.buckets import latency_buckets
from observability.names import BY_NAME

_LAG_BOUNDS_SECONDS = latency_buckets((0.0001, 0.0002, 0.0005, 0.001, 0.002))


@dataclass(frozen=True, slots=True)
class EngineReading:
    """One worker at this moment; all but ``in_flight`` count from the run's start."""

    arrivals: int
    sent: int
    in_flight: int
    reconnects: int
    records_lost: int
    loop_lag: LogHistogram


class EngineCollector(Collector):
    """Offers a reading as samples of the page."""

    def __init__(self, read: Callable[[], EngineReading]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each value."""
        reading = self._read()
        yield _counter("tidegate_arrivals", reading.arrivals)
        yield _counter("tidegate_sent", reading.sent)
        yield _counter("tidegate_reconnects", reading.reconnects)
        yield _counter("tidegate_records_lost", reading.records_lost)
        in_flight = BY_NAME["tidegate_in_flight"]
        yield GaugeMetricFamily(in_flight.name, in_flight.help, value=reading.in_flight)
        yield _histogram("tidegate_loop_lag_seconds", reading.loop_lag)


def _counter(name: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(name, BY_NAME[name].help, value=value)


def _histogram(name: str, durations: LogHistogram) -> HistogramMetricFamily:
    counts = durations.counts_up_to([bound * 1e9 for bound in _LAG_BOUNDS_SECONDS])
    buckets = [(str(b), float(n)) for b, n in zip(_LAG_BOUNDS_SECONDS, counts, strict=True)]
    buckets.append(("+Inf", float(durations.count)))
    mean_seconds = durations.mean_seconds
    total = 0.0 if math.isnan(mean_seconds) else mean_seconds * durations.count
    return HistogramMetricFamily(name, BY_NAME[name].help, buckets=buckets, sum_value=total)
