"""New streams a second: connect, ask, first token, close.

``python -m benchmarks.churn [RATE] [SECONDS] [WORKERS] [golden]``. Each request has a connection of its own
and one token. The goal is 20,000 a second for 30 seconds. The target is a C server on one thread, so that it
is not what limits; ``golden`` takes the golden target instead.
"""

from __future__ import annotations

import sys

from benchmarks.figures import say
from benchmarks.held import Held, against, run, target
from benchmarks.lean_server import lean_server
from harness.scenario.model import Limits, Rate, Scenario, Stage, WorkloadSpec

RATE = 20_000.0
SECONDS = 30.0
GOAL_PER_SECOND = 20_000.0
MOST_AT_ONCE = 10_000


def main() -> None:
    given = [argument for argument in sys.argv[1:] if argument != "golden"]
    rate = float(given[0]) if given else RATE
    seconds = float(given[1]) if len(given) > 1 else SECONDS
    workers = int(given[2]) if len(given) > 2 else None
    if "golden" in sys.argv:
        report(run(churn(rate, seconds), "ttft=0ms,tokens=1", workers), rate, seconds)
    else:
        with lean_server(0.0, 1) as port:
            report(against(churn(rate, seconds), f"http://127.0.0.1:{port}", workers), rate, seconds)


def report(done: Held, rate: float, seconds: float) -> None:
    whole, health = done.summary.whole, done.summary.generator
    more = {"offered_rate": rate, "seconds": seconds, "workers": health.workers}
    lasting = lasting_rate(done.summary.series.ok, seconds)
    say("new_streams_per_second", lasting, "1/s", "goal", GOAL_PER_SECOND, **more)
    say("ttft_p99", whole.latencies["ttft"].p99 * 1e3, "ms", "none", 0, **more)
    say("schedule_delay_p99", health.schedule_delay_p99_seconds * 1e3, "ms", "none", 0, **more)
    say("errors", done.failed, "requests", "goal", 0, offered=whole.offered)


def churn(rate: float, seconds: float) -> Scenario:
    return Scenario(
        name="churn",
        target=target(30.0),
        workload=WorkloadSpec(output_tokens=1),
        max_in_flight=MOST_AT_ONCE,
        drain=30.0,
        trace_sample_share=0.0,
        stages=(Stage(name="churn", duration=seconds, rate=Rate(rate), arrivals="constant"),),
        limits=Limits(schedule_delay_p99=60.0, loop_lag_p99=60.0),
    )


def lasting_rate(answered_by_second: tuple[int, ...], seconds: float) -> float:
    """Return the answers per second until all were answered: who falls behind takes longer."""
    return sum(answered_by_second) / max(seconds, len(answered_by_second) - 1)


if __name__ == "__main__":
    main()
