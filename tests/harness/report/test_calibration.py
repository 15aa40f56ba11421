from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from harness.measure import codec
from harness.measure.floor import Lateness, Spread, near_floor
from harness.report import units
from harness.report.calibration import (
    MEANING,
    NOT_CALIBRATED,
    floor_rows,
    floor_sentence,
    is_objective_marked,
)
from harness.report.html import page
from harness.report.markdown import markdown
from harness.report.run_folder import Report
from harness.report.terminal import print_verdict
from tests.harness.measure.test_floor import floor


def test_a_machine_that_was_not_calibrated_says_how(reports: dict[str, Report]) -> None:
    summary = reports["PASS"].summary
    assert floor_rows(summary)[0] == ("Floor of this machine", NOT_CALIBRATED)


def test_the_floor_is_told_with_its_day() -> None:
    text = floor_sentence(floor())
    assert "TTFT + 30 µs (p50), + 200 µs (p99)" in text
    assert "calibrated on 2026-11-24" in text


def test_values_near_the_floor_are_named(reports: dict[str, Report]) -> None:
    summary = on_floor(reports["PASS"], ttft_p50_seconds=100.0).summary
    assert dict(floor_rows(summary))["Values within 3× of the floor"] == "whole.ttft.p50"


def test_a_value_near_the_floor_is_marked_where_it_stands_and_the_mark_is_explained(
    reports: dict[str, Report],
) -> None:
    report = on_floor(reports["PASS"], ttft_p50_seconds=100.0)
    assert page(report).count(">\u00a0≈ floor</span>") == 3  # its card, the stages' total, the latency table
    assert MEANING in page(report)
    assert f"TTFT p50 {units.seconds(report.summary.whole.latencies['ttft'].p50)} ≈ " in printed(report)
    assert MEANING in printed(report)
    assert f"{units.seconds(report.summary.whole.latencies['ttft'].p50)} ≈, " in markdown(report)


def test_a_value_far_from_the_floor_has_no_mark(reports: dict[str, Report]) -> None:
    report = on_floor(reports["PASS"], ttft_p50_seconds=1e-9)
    assert "≈" not in page(report) + printed(report) + markdown(report)
    assert "calibrated on 2026-11-24" in printed(report)
    assert "calibrated on 2026-11-24" in markdown(report)


def test_an_objective_is_marked_by_what_it_measured(reports: dict[str, Report]) -> None:
    [calm] = [result for result in reports["PASS"].verdict.results if result.objective.name == "calm-ttft"]
    [e2e] = [result for result in reports["PASS"].verdict.results if result.objective.metric == "e2e"]
    far = on_floor(reports["PASS"], 1e-9, ttft_p99_seconds=calm.measured / 3.1)
    near = on_floor(reports["PASS"], 1e-9, ttft_p99_seconds=calm.measured / 2.9)
    assert not is_objective_marked(far, calm)
    assert is_objective_marked(near, calm)
    assert not is_objective_marked(near, e2e)


def on_floor(report: Report, ttft_p50_seconds: float, ttft_p99_seconds: float = 1e-9) -> Report:
    """Return the report as if it had been made on a machine whose floor for everything but TTFT is 1 ns."""
    least = Spread(1e-9, 1e-9)
    on = floor(
        added_ttft=Spread(ttft_p50_seconds, ttft_p99_seconds),
        added_gap=least,
        send_lateness=(Lateness(100, 500, 1e-9, 1e-9, 1e-9),),
    )
    whole = report.summary.whole
    near = near_floor(on, (whole,), 1)
    # One stage only: what other tests make of the stages does not matter here.
    near = tuple(name for name in near if ".ttft." in name)
    environment = {"calibration_floor": codec.to_plain(on)}
    return replace(report, summary=replace(report.summary, environment=environment, near_floor=near))


def printed(report: Report) -> str:
    console = Console(record=True, width=200, file=io.StringIO())
    print_verdict(report, console)
    return console.export_text()
