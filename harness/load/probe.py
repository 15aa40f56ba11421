"""What ``1x`` means: the requests per second that the target finishes for a few patient users."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import gevent

from harness.arrivals import build_plan
from harness.errors import TidegateError
from harness.load.closed_loop import ClosedLoop
from harness.load.transport import open_transport
from harness.measure.record import Outcome, RequestRecord
from harness.measure.summary import Capacity
from harness.scenario.model import Scenario
from harness.workload import Workload, build_workload

_FIRST_SEQ = 1 << 40
"""Far from the run's own requests, so that the target has cached none of them when the run begins."""
_PAUSE_AFTER_FAILURE_SECONDS = 0.05


def measure_capacity(scenario: Scenario) -> Capacity:
    """Ask in a closed loop for ``scenario.capacity.duration`` seconds and count.

    Raises TidegateError when more than half of the requests fail.
    """
    spec = scenario.capacity
    loop = ClosedLoop(open_transport(scenario.target, f"capacity-{time.time_ns()}", 0.0))
    records: list[RequestRecord] = []
    end_by_ns = time.monotonic_ns() + int(spec.duration * 1e9)
    work = _asks(scenario, build_workload(scenario))
    try:
        users = [gevent.spawn(_user, loop, work, end_by_ns, records) for _ in range(spec.concurrency)]
        gevent.joinall(users, raise_error=True)
    finally:
        loop.close()
    return _capacity(records, spec.concurrency, end_by_ns - loop.zero_ns)


def _user(
    loop: ClosedLoop, work: Iterator[tuple[int, object]], end_by_ns: int, records: list[RequestRecord]
) -> None:
    while time.monotonic_ns() < end_by_ns:
        seq, ask = next(work)
        record, _ = loop.ask(ask, seq)  # type: ignore[arg-type]
        records.append(record)
        if record.outcome is not Outcome.OK:
            gevent.sleep(_PAUSE_AFTER_FAILURE_SECONDS)


def _asks(scenario: Scenario, workload: Workload) -> Iterator[tuple[int, object]]:
    lengths = itertools.cycle(_trace_lengths(scenario))
    for seq in itertools.count(_FIRST_SEQ):
        yield seq, workload.ask(seq, 0, *next(lengths))


def _trace_lengths(scenario: Scenario) -> list[tuple[int | None, int | None]]:
    """Return the lengths that the scenario's traces ask for, so that the probe asks for the like."""
    stages = tuple(stage for stage in scenario.stages if stage.trace is not None)
    if not stages:
        return [(None, None)]
    plan = build_plan(scenario.model_copy(update={"stages": stages, "spike": None}))
    if plan.input_tokens is None or plan.output_tokens is None:
        return [(None, None)]
    return list(zip(map(int, plan.input_tokens), map(int, plan.output_tokens), strict=True))


def _capacity(records: list[RequestRecord], concurrency: int, window_ns: int) -> Capacity:
    good = [record for record in records if record.outcome is Outcome.OK]
    if 2 * len(good) < len(records) or not good:
        worst = next(r for r in records if r.outcome is not Outcome.OK)
        raise TidegateError(
            f"the capacity probe failed: {len(records) - len(good)} of {len(records)} requests, "
            f"for example {worst.outcome} ({worst.error_type})"
        )
    finished = sum(_share_within(record, window_ns) for record in good)
    return Capacity(finished / (window_ns / 1e9), concurrency, len(good), window_ns / 1e9)


def _share_within(record: RequestRecord, window_ns: int) -> float:
    """Return how much of the request's time lies in the window.

    Requests that are open at the end count in part: to leave them out would cost a slow target, with few
    requests in the window, a good part of its capacity; to count them whole would give it too much.
    """
    assert record.sent_ns is not None
    took_ns = max(1, record.end_ns - record.sent_ns)
    return min(1.0, max(0.0, (window_ns - record.sent_ns) / took_ns))
