import numpy as np
import pytest

from harness.preflight.need import most_within, need_of
from harness.scenario.model import Rate, Scenario, Stage, Target


def scenario(rate: float, seconds: float, max_in_flight: int = 1_000_000, **target: object) -> Scenario:
    stage = Stage(name="only", duration=seconds, rate=Rate(rate), arrivals="constant")
    url = {"url": "http://127.0.0.1:1"}
    return Scenario(name="n", target=Target(**(url | target)), max_in_flight=max_in_flight, stages=(stage,))


def test_the_fullest_window_may_lie_anywhere() -> None:
    offsets = np.array([0.0, 3.0, 3.5, 3.9, 4.0, 9.0])
    assert most_within(offsets, 1.0) == 3  # 3.0, 3.5, 3.9: a window does not hold its end
    assert most_within(offsets, 1.01) == 4
    assert most_within(offsets, 100.0) == 6
    assert most_within(np.array([]), 1.0) == 0


def test_no_more_streams_are_open_than_arrive_within_one_request_timeout() -> None:
    need = need_of(scenario(100.0, 60.0, request_timeout=10.0))
    assert (need.streams, need.basis) == (1000, "the most arrivals within request_timeout, 10 s")
    assert (need.requests, need.per_second, need.in_a_burst) == (6000, 100, 10)


def test_nor_more_than_max_in_flight() -> None:
    need = need_of(scenario(100.0, 60.0, max_in_flight=64))
    assert (need.streams, need.basis) == (64, "max_in_flight")


def test_grpc_streams_share_connections() -> None:
    need = need_of(scenario(100.0, 60.0, url="grpc://127.0.0.1:1", request_timeout=10.0))
    assert (need.streams, need.connections, need.threaded) == (1000, 10, False)


@pytest.mark.parametrize(("connection", "closing"), [("keep_alive", 0), ("close", 6000)])
def test_closed_connections_hold_their_ports_for_a_minute(connection: str, closing: int) -> None:
    assert need_of(scenario(100.0, 90.0, connection=connection), 60.0).closing == closing


def test_https_is_not_held_by_threads_with_tables_of_their_own() -> None:
    assert need_of(scenario(1.0, 1.0)).threaded
    assert not need_of(scenario(1.0, 1.0, url="https://localhost:1")).threaded


def test_source_addresses_are_counted() -> None:
    assert need_of(scenario(1.0, 1.0)).sources == 0
    assert need_of(scenario(1.0, 1.0, source_addresses="127.0.1.0/28")).sources == 14
