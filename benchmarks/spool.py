"""Records a second that the spool accepts, on one core. ``python -m benchmarks.spool``

The process is bound to one core, which the caller, the checksum and the spool's own thread share. A record
is a request's document of 700 bytes, offered as fast as the spool takes it; accepted means on disk. The
reference appends the same records to a plain file with an fsync after each, which is what a log that promises
as much would do without groups.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from benchmarks.figures import say
from observability.spool.writer import SpoolLimits, SpoolWriter

RECORD_BYTES = 700
RECORDS = 300_000
REFERENCE_SECONDS = 2.0
LIMITS = SpoolLimits(total_bytes=2**30)


def accepted_per_second(folder: Path, record: bytes) -> tuple[float, float, int]:
    """Return records a second, processor seconds a second, and how often the spool had to be waited for."""
    writer, waits = SpoolWriter(folder, LIMITS), 0
    began, began_cpu = time.perf_counter(), time.process_time()
    for _ in range(RECORDS):
        while not writer.has_room(len(record)):  # the memory's bound: the disk is behind
            waits += 1
            time.sleep(0.001)
        writer.offer(record)
    writer.sync(60.0)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    writer.close()
    counts = writer.counts
    if counts.accepted != RECORDS:
        raise SystemExit(f"the spool did not accept every record: {counts}")
    return RECORDS / seconds, cpu_seconds / seconds, waits


def plain_appends_per_second(path: Path, record: bytes) -> float:
    appended, began = 0, time.perf_counter()
    with path.open("ab", buffering=0) as file:
        while (seconds := time.perf_counter() - began) < REFERENCE_SECONDS:
            file.write(record)
            os.fsync(file.fileno())
            appended += 1
    return appended / seconds


def main() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    record = os.urandom(RECORD_BYTES)
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        rate, cpu_share, waits = accepted_per_second(folder / "spool", record)
        plain = plain_appends_per_second(folder / "plain", record)
    say(
        *("spool_accepted", rate, "records/s", "append and fsync each", plain),
        record_bytes=RECORD_BYTES,
        cpu_share=round(cpu_share, 2),
        waits=waits,
    )


if __name__ == "__main__":
    main()
