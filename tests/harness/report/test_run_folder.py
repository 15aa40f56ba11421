"""Reading a run's folder back."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.report.run_folder import Report, read_run


def test_a_run_folder_reads_back_with_its_scenario_verdict_environment_and_start(
    reports: dict[str, Report],
) -> None:
    report = reports["FAIL"]
    assert report.scenario.name == report.summary.scenario == "flash-sale"
    assert report.environment["cores"] == 16
    assert report.started == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
    assert 160 <= report.duration_seconds < 190


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        read_run(tmp_path)
    assert [mistake.key for mistake in error.value.mistakes] == [
        "scenario.yaml",
        "summary.json",
        "verdict.json",
    ]


def test_an_environment_that_is_not_an_object_is_a_usage_error(
    run_dirs: dict[str, Path], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(run_dirs["PASS"], tmp_path / "run"))
    (copy / "environment.json").write_text("[]")
    with pytest.raises(UsageError, match="JSON object"):
        read_run(copy)


def test_the_files_that_only_add_to_a_report_may_be_absent(run_dirs: dict[str, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run_dirs["PASS"], tmp_path / "run"))
    for name in ("environment.json", "telemetry.json", "worker-0.json"):
        (copy / name).unlink()
    report = read_run(copy)
    assert report.environment == {}
    assert report.started is None
