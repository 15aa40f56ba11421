"""What the compiled core is fed with, and when."""

import socket
import time

from harness.arrivals.plan import Plan
from harness.core.engine import CoreEngine, CoreSettings
from harness.load.native_lane import NativeLane
from tests.harness.load.engines import Hello, plan_at

SECOND_NS = 1_000_000_000
SETTINGS = CoreSettings(
    drain_ns=SECOND_NS,
    connect_ns=SECOND_NS,
    read_ns=SECOND_NS,
    request_ns=SECOND_NS,
    stages=1,
    max_in_flight=10,
    max_idle=10,
    reuse=True,
    keep_gaps=False,
)


def lane_over(plan: Plan) -> NativeLane:
    """Return a lane that has begun; its core never sends."""
    core = CoreEngine(SETTINGS, [(socket.AF_INET, ("127.0.0.1", 9))], b"")
    lane = NativeLane(core, plan, Hello(), worker=0, run_id="run", sample_share=0.0)
    lane.begin(time.monotonic_ns() + SECOND_NS // 5)
    return lane


def test_a_lane_prepares_by_the_chunk_and_not_an_arrival_at_a_time() -> None:
    """A thousand a second from 0.2 s on: 512 are due by 0.711 s. Of the next 512 the last is due at 1.223 s,
    beyond the horizon of 1 s, and the first later than half of it: they can wait until a turn is worth it.
    """
    lane = lane_over(plan_at(*(number / 1000 for number in range(3000))))
    assert lane.behind
    lane.feed_some()
    assert lane.left == 3000 - 512
    assert not lane.behind


def test_a_lane_prepares_the_few_arrivals_of_a_slow_plan_half_a_second_ahead() -> None:
    lane = lane_over(plan_at(0.1, 0.5, 0.9))  # due 0.3, 0.7 and 1.1 s from now
    assert lane.behind
    lane.feed_some()
    assert lane.left == 1  # what is due within a second is made in the same turn
    assert not lane.behind
