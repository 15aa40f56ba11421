from prometheus_client import CollectorRegistry

from harness.measure.histogram import LogHistogram
from harness.telemetry.engine_metrics import EngineCollector, EngineReading

MS = 1_000_000


def test_the_engine_is_read_when_the_page_is_asked_for():
    lag = LogHistogram()
    readings = [EngineReading(5, 4, 3, 2, 1, lag)]
    registry = CollectorRegistry()
    registry.register(EngineCollector(lambda: readings[-1]))
    assert registry.get_sample_value("tidegate_arrivals_total") == 5
    readings.append(EngineReading(50, 40, 30, 20, 10, lag))
    wanted = ("arrivals_total", "sent_total", "in_flight", "reconnects_total", "records_lost_total")
    assert [registry.get_sample_value(f"tidegate_{name}") for name in wanted] == [50, 40, 30, 20, 10]


def test_loop_lag_is_a_histogram_whose_buckets_add_up():
    lag = LogHistogram()
    for value_ns in (50_000, 150_000, 3 * MS, 300 * MS):
        lag.add(value_ns)
    registry = CollectorRegistry()
    registry.register(EngineCollector(lambda: EngineReading(0, 0, 0, 0, 0, lag)))

    def up_to(bound: str) -> float | None:
        return registry.get_sample_value("tidegate_loop_lag_seconds_bucket", {"le": bound})

    assert [up_to(le) for le in ("0.0001", "0.0002", "0.002", "0.005", "120.0", "+Inf")] == [1, 2, 2, 3, 4, 4]
    assert registry.get_sample_value("tidegate_loop_lag_seconds_count") == 4
    total = registry.get_sample_value("tidegate_loop_lag_seconds_sum")
    assert abs(total - 0.3032) < 0.01 * 0.3032


def test_a_worker_without_a_tick_yet_has_an_empty_histogram_and_no_nan():
    registry = CollectorRegistry()
    registry.register(EngineCollector(lambda: EngineReading(0, 0, 0, 0, 0, LogHistogram())))
    assert registry.get_sample_value("tidegate_loop_lag_seconds_sum") == 0
    assert registry.get_sample_value("tidegate_loop_lag_seconds_count") == 0
