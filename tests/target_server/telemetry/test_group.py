"""Samples of several processes, added up: by value."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from target_server.telemetry.group import dump_samples, merged_page

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def process(
    requests: int, kv_share: float, gpu_bytes: float, seconds: tuple[float, ...], trace: str
) -> bytes:
    registry = CollectorRegistry()
    counter = Counter("tidegate_target_requests", "n", ["status"], registry=registry)
    counter.labels(status="200").inc(requests)
    Gauge("tidegate_target_kv_used_share", "s", registry=registry).set(kv_share)
    Gauge("tidegate_gpu_memory_used_bytes", "b", ["gpu"], registry=registry).labels(gpu="0").set(gpu_bytes)
    histogram = Histogram("tidegate_target_queue_seconds", "q", registry=registry, buckets=(1.0, 2.0))
    for value in seconds:
        histogram.observe(value, {"trace_id": trace})
    return dump_samples(registry)


DUMPS = [process(3, 0.2, 7e9, (0.5, 1.5), "a"), process(4, 0.6, 9e9, (0.7, 9.0), "b")]


def samples(accept: str = OPENMETRICS) -> dict[str, float]:
    page, _ = merged_page(DUMPS, accept)
    families = text_string_to_metric_families(page.decode())
    return {f"{s.name}{json.dumps(s.labels)}": s.value for f in families for s in f.samples}


def test_counters_and_histograms_are_added() -> None:
    found = samples()
    assert found['tidegate_target_requests_total{"status": "200"}'] == 7
    assert found['tidegate_target_queue_seconds_bucket{"le": "1.0"}'] == 2
    assert found['tidegate_target_queue_seconds_bucket{"le": "2.0"}'] == 3
    assert found['tidegate_target_queue_seconds_bucket{"le": "+Inf"}'] == 4
    assert found["tidegate_target_queue_seconds_sum{}"] == 11.7


def test_a_share_is_the_mean_and_a_reading_of_the_whole_device_is_not_added() -> None:
    assert samples()["tidegate_target_kv_used_share{}"] == 0.4
    assert samples()['tidegate_gpu_memory_used_bytes{"gpu": "0"}'] == 9e9


def test_each_bucket_keeps_the_newest_exemplar() -> None:
    page, content_type = merged_page(DUMPS, OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    families = text_string_to_metric_families(page.decode())
    kept = {s.labels["le"]: s.exemplar.labels["trace_id"] for f in families for s in f.samples if s.exemplar}
    assert kept == {"1.0": "b", "2.0": "a", "+Inf": "b"}  # the second process observed later


def test_plain_text_is_served_to_who_asks_for_it() -> None:
    page, content_type = merged_page(DUMPS, "")
    assert content_type.startswith("text/plain")
    assert b'tidegate_target_requests_total{status="200"} 7.0\n' in page
