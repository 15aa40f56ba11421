"""tidegate's own worker in a process like any peer's: open loop, every request's record in Parquet.

``python -m benchmarks.peer.ours URL SECONDS modest|highest|short`` prints its reading as the last line. A
load here is a rate: `highest` and `short` climb the ladders of `benchmarks.ingest` and
`benchmarks.open_loop` to the last rung at which sends and answers are on time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ingest, open_loop
from benchmarks.drive import Driven, constant_plan, kept_up, like_a_worker, wait_a_moment
from benchmarks.drive import open_loop as drive
from benchmarks.peer.tool import GAP_MS, STREAMED_TOKENS, Launch, Load, Reading

MODEST_PER_SECOND = 50
CLIMB = 0  # streams "at a time" that mean: as many as it can


class Ours:
    name = "tidegate"
    ladder: tuple[int, ...] = (MODEST_PER_SECOND, CLIMB)
    modest_counts = False  # a climb that failed must not stand in every ratio as 3,200 tokens/s
    short = True

    def get(self) -> str:
        return "this checkout"

    def launch(self, load: Load, folder: Path) -> Launch:  # noqa: ARG002
        what = "short" if not load.streamed else "modest" if load.at_a_time else "highest"
        root = str(Path(__file__).parents[2])
        command = [sys.executable, "-m", __spec__.name, load.url, f"{load.seconds:g}", what]
        return Launch(command, {"PYTHONPATH": root})

    def read(self, load: Load, folder: Path, output: str) -> Reading:  # noqa: ARG002
        return Reading(**json.loads(output.splitlines()[-1]))


def climb(url: str, seconds: float, stream: bool) -> Driven:
    """Return the last rung that was on time from its first send to its last answer."""
    ladder = ingest.LADDER_TOKENS_PER_SECOND if stream else open_loop.LADDER_PER_SECOND
    tokens = STREAMED_TOKENS if stream else 1
    best: Driven | None = None
    for tokens_per_second in ladder:
        driven = drive(url, constant_plan(tokens_per_second / tokens, seconds), stream=stream, tokens=tokens)
        wait_a_moment()
        if not kept_up(driven, seconds, GAP_MS / 1e3 * STREAMED_TOKENS if stream else 0.0):
            break
        best = driven
    assert best is not None, "not even the first rung was on time: is the machine busy?"
    return best


def reading(driven: Driven, seconds: float, stream: bool) -> dict[str, Any]:
    """Tell of a rung; rates are over the seconds in which requests were due."""
    told: dict[str, Any] = {"requests_per_second": len(driven.records) / seconds}
    told["failed"] = int((~driven.records.ok).sum())
    if not stream:
        return told | {"note": "open loop, sends on time, records in Parquet"}
    p50, p99 = np.percentile(driven.ttft_ms, (50, 99))
    told |= {"ttft_p50_ms": float(p50), "ttft_p99_ms": float(p99)}
    told |= {"itl_p50_ms": driven.engine.itl[0].quantile(0.5) * 1e3}
    told |= {"tokens_per_second": float(driven.records.chunks.sum()) / seconds}
    return told | {"note": "open loop; times from the instant when a request was due"}


def main() -> None:
    url, seconds, what = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    stream = what != "short"
    with like_a_worker(None):
        if what == "modest":
            plan = constant_plan(MODEST_PER_SECOND, seconds)
            driven = drive(url, plan, stream=True, tokens=STREAMED_TOKENS)
        else:
            driven = climb(url, seconds, stream)
    print(json.dumps(reading(driven, seconds, stream)))


if __name__ == "__main__":
    main()
