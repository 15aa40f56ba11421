"""How many streamed tokens a second one worker takes in on one core, and how true its times are meanwhile.

The server's truth is a first token 10 ms after the request and one more every 10 ms, 64 in all. Server and
worker have a core each. Requests, parsing, records and Parquet are the real ones. The load rises until the
worker or the server no longer keeps up; the portable engine, in Python, climbs the same ladder to compare.

``python -m benchmarks.ingest [SECONDS]``
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.drive import (
    CLEAN_LATE_P99_MS,
    Driven,
    constant_plan,
    kept_up,
    like_a_worker,
    open_loop,
    wait_a_moment,
)
from benchmarks.figures import say
from benchmarks.lean_server import cores_for_both, lean_server

GAP_SECONDS = 0.01
TOKENS = 64
LADDER_TOKENS_PER_SECOND = (12_800, 50_000, 75_000, 100_000, 150_000, 200_000, 250_000, 300_000)
GOAL_TOKENS_PER_CORE_SECOND = 250_000


def climb(url: str, seconds: float, *, native: bool) -> Driven:
    """Raise the load to the last rung that is clean; return that one."""
    best: Driven | None = None
    for tokens_per_second in LADDER_TOKENS_PER_SECOND:
        plan = constant_plan(tokens_per_second / TOKENS, seconds)
        driven = open_loop(url, plan, stream=True, tokens=TOKENS, native=native)
        tell(driven, tokens_per_second, native)
        wait_a_moment()
        if not kept_up(driven, seconds, GAP_SECONDS * TOKENS):
            break
        best = driven
    assert best is not None, "not even the first rung was clean"
    return best


def tell(driven: Driven, tokens_per_second: int, native: bool) -> None:
    """Print what a rung reported where the truth is 10 ms."""
    more = {"tokens_per_second": tokens_per_second, "native": native}
    more |= {"cores": round(driven.cpu_seconds / driven.wall_seconds, 3)}
    for q in (50, 99):
        say(f"ttft_p{q}", float(np.percentile(driven.ttft_ms, q)), "ms", "truth", GAP_SECONDS * 1e3, **more)
    gap = driven.engine.itl[0].quantile(0.99) * 1e3
    say("gap_p99", gap, "ms", "truth", GAP_SECONDS * 1e3, **more)
    say("send_late_p99", float(np.percentile(driven.late_ms, 99)), "ms", "clean", CLEAN_LATE_P99_MS, **more)


def per_core_second(driven: Driven) -> float:
    """Return tokens taken in for each second of a core, all threads of the worker together."""
    return float(driven.records.chunks.sum()) / driven.cpu_seconds


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    server_core, worker_core = cores_for_both()
    with lean_server(GAP_SECONDS, TOKENS, server_core) as port, like_a_worker(worker_core):
        url = f"http://127.0.0.1:{port}"
        ours, portable = climb(url, seconds, native=True), climb(url, seconds, native=False)
    rates = [float(d.records.chunks.sum()) / seconds for d in (ours, portable)]
    say("ingest_clean_tokens_per_second", rates[0], "tokens/s", "portable engine", rates[1])
    say(
        "ingest_tokens_per_second",
        per_core_second(ours),
        "tokens/s/core",
        "portable engine",
        per_core_second(portable),
        goal=GOAL_TOKENS_PER_CORE_SECOND,
    )


if __name__ == "__main__":
    main()
