"""Run folders of every verdict, made once for all tests of the reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report.run_folder import Report, read_run
from tests.harness.report.run_folders import KINDS, write_run


@pytest.fixture(scope="session")
def run_dirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("runs")
    return {name: write_run(root / name, kind) for name, kind in KINDS.items()}


@pytest.fixture(scope="session")
def reports(run_dirs: dict[str, Path]) -> dict[str, Report]:
    return {name: read_run(run_dir) for name, run_dir in run_dirs.items()}
