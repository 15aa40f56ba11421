"""A million streams on one small machine. ``python -m benchmarks.million [STREAMS] [WORKERS]``

Source addresses are spread over 127.0.1.0/24; the target's processes follow from the descriptor limit, and so
do the threads of the workers. Takes some four minutes and 10 GiB; the preflight refuses a machine that has
less.
"""

from __future__ import annotations

import sys

from benchmarks.connections import count_difference
from benchmarks.figures import say
from benchmarks.held import held, run

STREAMS = 1_000_000
OPEN_SECONDS = 50.0
HOLD_SECONDS = 100.0
"""From the first token to the second and last: all must be open before the first closes."""
GOAL_OPEN_SECONDS = 60.0
BARE_OPEN_SECONDS = 45.7
GOAL_TAKEN_GIB = 17.0
GOAL_KERNEL_BYTES = 10_240


def main() -> None:
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else STREAMS
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else None
    scenario, timetable = held(streams, OPEN_SECONDS * streams / STREAMS, HOLD_SECONDS, HOLD_SECONDS)
    done = run(scenario, timetable, workers)
    took = done.summary.open_streams
    assert took is not None, "no worker watched its streams"
    size = {"streams": took.peak, "workers": len(took.workers), "target_processes": done.processes}
    say("all_open_seconds", took.all_open_seconds, "s", "goal", GOAL_OPEN_SECONDS, **size)
    say("all_open_seconds", took.all_open_seconds, "s", "bare probe", BARE_OPEN_SECONDS, **size)
    say("memory_taken", took.taken_bytes / 2**30, "GiB", "goal", GOAL_TAKEN_GIB, **size)
    say("kernel_bytes_per_stream", took.kernel_bytes_per_stream, "B", "goal", GOAL_KERNEL_BYTES, **size)
    say("client_bytes_per_stream", took.client_bytes_per_stream, "B", "goal", 2_560, **size)
    say("target_bytes_per_stream", done.target_bytes_per_stream, "B", "bare probe", 1_372, **size)
    say("errors", done.failed, "requests", "goal", 0, offered=done.summary.whole.offered)
    say("count_difference", count_difference(done), "requests", "goal", 0)


if __name__ == "__main__":
    main()
