"""The rows of the health section that tell what holding streams took."""

from __future__ import annotations

import math
from dataclasses import replace

from harness.measure.summary import OpenStreams, WorkerPeak
from harness.report.health import generator
from harness.report.run_folder import Report

MIB = 1 << 20
HELD = OpenStreams(
    peak=100_000,
    workers=(
        WorkerPeak(0, 49_990, 100 * MIB, 220 * MIB, 170 * MIB),
        WorkerPeak(1, 50_010, 100 * MIB, 221 * MIB, 171 * MIB),
    ),
    all_open_seconds=3.104,
    client_bytes_per_stream=1485.0,
    kernel_bytes_per_stream=10_240.0,
    target_bytes_per_stream=7987.0,
    target_open=100_000,
    taken_bytes=2.5 * (1 << 30),
)


def shown(report: Report, held: OpenStreams | None) -> str:
    return str(generator(replace(report, summary=replace(report.summary, open_streams=held))))


def test_counts_time_and_memory_are_told_with_their_units(reports: dict[str, Report]) -> None:
    text = shown(reports["PASS"], HELD)
    assert "100,000 (49,990 to 50,010 a worker); the target counts 100,000" in text
    assert "3.10 s" in text
    assert [size for size in ("1.5 KiB", "10.0 KiB", "7.8 KiB", "2.5 GiB") if size not in text] == []


def test_what_is_not_known_has_no_row(reports: dict[str, Report]) -> None:
    bare = replace(HELD, target_open=None, target_bytes_per_stream=math.nan, all_open_seconds=math.nan)
    text = shown(reports["PASS"], bare)
    assert "the target counts" not in text
    assert "Memory a stream, target" not in text
    assert "All open within" not in text
    assert "Memory a stream, workers" in text


def test_a_run_that_nobody_watched_has_none_of_the_rows(reports: dict[str, Report]) -> None:
    assert "Open at once" not in shown(reports["PASS"], None)
