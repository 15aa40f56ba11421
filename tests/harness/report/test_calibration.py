from __future__ import annotations

from dataclasses import replace

from harness.measure import codec
from harness.report.calibration import NOT_CALIBRATED, floor_rows, floor_sentence
from harness.report.run_folder import Report
from tests.harness.measure.test_floor import floor


def test_a_machine_that_was_not_calibrated_says_how(reports: dict[str, Report]) -> None:
    summary = reports["PASS"].summary
    assert floor_rows(summary)[0] == ("Floor of this machine", NOT_CALIBRATED)


def test_the_floor_is_told_with_its_day() -> None:
    text = floor_sentence(floor())
    assert "TTFT + 30 µs (p50), + 200 µs (p99)" in text
    assert "calibrated on 2026-11-24" in text


def test_values_near_the_floor_are_named(reports: dict[str, Report]) -> None:
    summary = reports["PASS"].summary
    high = replace(floor(), added_ttft=replace(floor().added_ttft, p50_seconds=100.0))
    environment = {"calibration_floor": codec.to_plain(high)}
    rows = dict(floor_rows(replace(summary, environment=environment)))
    assert f"{summary.whole.name}.ttft.p50" in rows["Values within 3× of the floor"]
    assert ".itl." not in rows["Values within 3× of the floor"]
