from __future__ import annotations

import math

import pytest

from harness.measure import codec
from harness.measure.floor import Ceiling, Floor, Lateness, Machine, Spread, floor_in, floor_seconds, is_near


def floor(**changes: object) -> Floor:
    given: dict[str, object] = {
        "calibrated_at": "2026-11-24T10:00:00+00:00",
        "quick": False,
        "machine": Machine("some CPU", 2, "Linux", "3.11", "0.1.0"),
        "send_lateness": (Lateness(100, 500, 1e-5, 5e-5, 2e-4), Lateness(10_000, 30_000, 2e-5, 8e-4, 2e-3)),
        "added_ttft": Spread(3e-5, 2e-4),
        "added_gap": Spread(1e-5, 1e-4),
        "clean_requests_per_second": Ceiling(20_000, at_least=False),
        "clean_tokens_per_second": Ceiling(90_000, at_least=True),
        "connections": Ceiling(4_000, at_least=True),
        "golden_pace_p99_seconds": 1e-4,
    }
    return Floor(**{**given, **changes})  # type: ignore[arg-type]


def test_a_floor_reads_back_from_its_file_and_from_an_environment() -> None:
    assert Floor.from_json(floor().to_json()) == floor()
    assert floor_in({"calibration_floor": codec.to_plain(floor())}) == floor()


@pytest.mark.parametrize("stored", [None, {}, {"schema_version": 999}, {"schema_version": 1, "quick": 3}])
def test_an_environment_without_a_readable_floor_has_none(stored: object) -> None:
    assert floor_in({"calibration_floor": stored}) is None
    assert floor_in({}) is None


def test_the_lateness_is_that_of_the_nearest_rate_by_ratio() -> None:
    assert floor().lateness_at(900).requests_per_second == 100  # 9 times 100; a tenth of 10,000 is farther
    assert floor().lateness_at(1_100).requests_per_second == 10_000


@pytest.mark.parametrize(
    ("latency", "percentile", "seconds"),
    [
        ("ttft", "p50", 3e-5),
        ("ttft", "p90", 2e-4),
        ("itl", "p99", 1e-4),
        ("schedule_delay", "p99", 5e-5),
        ("schedule_delay", "p999", 2e-4),
    ],
)
def test_each_percentile_has_its_floor(latency: str, percentile: str, seconds: float) -> None:
    assert floor_seconds(floor(), latency, percentile, 100) == seconds


def test_a_value_is_near_below_three_times_its_floor_and_never_where_that_is_unknown() -> None:
    assert is_near(2.99, 1.0)
    assert not is_near(3.0, 1.0)
    assert not is_near(1.0, math.nan)
    assert math.isnan(floor_seconds(floor(), "e2e", "p50", 100))
