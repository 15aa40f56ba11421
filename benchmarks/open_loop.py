"""How many short requests a second one worker sends by the clock on one core, each with a Parquet record.

Server and worker have a core each; connections are kept alive. The rate rises until sends come late or the
server no longer keeps up. wrk, which keeps no records and has no clock to be late for, does what it can on
the same server in the same run, where it is installed; else the portable engine is the reference.

``python -m benchmarks.open_loop [SECONDS]``
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.drive import Driven, constant_plan, kept_up, like_a_worker, open_loop, wait_a_moment
from benchmarks.figures import say
from benchmarks.lean_server import cores_for_both, lean_server

LADDER_PER_SECOND = (1_000, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 80_000, 100_000, 120_000)
GOAL_PER_CORE_SECOND = 100_000
_WRK_SCRIPT = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"model":"m","stream":false,"max_tokens":1,"messages":[{"role":"user","content":"%s"}]}'
"""


def climb(url: str, seconds: float, *, native: bool) -> tuple[int, Driven]:
    """Raise the rate to the last rung that is clean; return that rate and what it took."""
    best: tuple[int, Driven] | None = None
    for rate in LADDER_PER_SECOND:
        driven = open_loop(url, constant_plan(rate, seconds), stream=False, tokens=1, native=native)
        tell(driven, rate, native)
        wait_a_moment()
        if not kept_up(driven, seconds, 0.0):
            break
        best = rate, driven
    assert best is not None, "not even the first rung was clean"
    return best


def tell(driven: Driven, rate: int, native: bool) -> None:
    """Print how late a rung's sends were."""
    more = {"rate_per_second": rate, "native": native, "ok": int(driven.records.ok.sum())}
    more |= {"cores": round(driven.cpu_seconds / driven.wall_seconds, 3)}
    for q in (50, 99, 99.9):
        say(f"send_late_p{q:g}", float(np.percentile(driven.late_ms, q)), "ms", "clean p99", 5.0, **more)


def wrk(url: str, core: int | None) -> float | None:
    """Return wrk's requests for each second of a core, or None where it is not installed."""
    if shutil.which("wrk") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(_WRK_SCRIPT % ("word " * 8))
        before = os.times()
        options = ["-t1", "-c64", "-d5s", "-s", str(script), f"{url}/v1/chat/completions"]
        done = subprocess.run(["wrk", *options], capture_output=True, text=True, check=True)
        after = os.times()
    sent = int(re.findall(r"(\d+) requests in", done.stdout)[0])
    used = after.children_user + after.children_system - before.children_user - before.children_system
    say(
        "wrk_requests_per_second",
        sent / 5.0,
        "requests/s",
        "a core",
        1.0,
        core=core,
        cpu_seconds=round(used, 2),
    )
    return sent / used


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    server_core, worker_core = cores_for_both()
    with lean_server(0.01, 1, server_core) as port, like_a_worker(worker_core):
        url = f"http://127.0.0.1:{port}"
        rate, ours = climb(url, seconds, native=True)
        portable_rate, portable = climb(url, seconds, native=False)
        bare = wrk(url, worker_core)
    each = [len(driven.records) / driven.cpu_seconds for driven in (ours, portable)]
    say("open_loop_clean_rate", rate, "requests/s", "portable engine", portable_rate)
    name, value = ("wrk, without records", bare) if bare else ("portable engine", each[1])
    say(
        "open_loop_requests_per_second",
        each[0],
        "requests/s/core",
        name,
        value,
        goal=GOAL_PER_CORE_SECOND,
        portable_engine=round(each[1]),
    )


if __name__ == "__main__":
    main()
