from __future__ import annotations

import pytest

from target_server.engine.throughput import Throughput


def finished_every_half_second(count: int) -> Throughput:
    throughput = Throughput()
    for i in range(count):
        throughput.record(i * 0.5)
    return throughput


def test_the_rate_counts_intervals_not_ends() -> None:
    assert finished_every_half_second(9).per_second() == pytest.approx(2.0)


def test_only_the_last_ends_count() -> None:
    throughput = Throughput()
    throughput.record(-1000.0)
    for i in range(64):
        throughput.record(i * 0.5)
    assert throughput.per_second() == pytest.approx(2.0)


def test_retry_after_is_the_time_in_which_the_queue_drains() -> None:
    assert finished_every_half_second(9).retry_after_seconds(waiting=20) == pytest.approx(10.0)


def test_retry_after_stays_within_a_second_and_a_minute() -> None:
    assert Throughput().retry_after_seconds(waiting=1000) == 1.0
    assert finished_every_half_second(9).retry_after_seconds(waiting=0) == 1.0
    assert finished_every_half_second(9).retry_after_seconds(waiting=1000) == 60.0
