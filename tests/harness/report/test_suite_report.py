"""The suite's report: several runs, one verdict."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from harness.report.html import write_html
from harness.report.run_folder import Report
from harness.report.suite import write_suite
from harness.verdict.model import VerdictKind


@pytest.fixture
def outside_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.mark.usefixtures("outside_github")
def test_the_suite_returns_the_worst_verdict_and_writes_three_files(
    tmp_path: Path, run_dirs: dict[str, Path], reports: dict[str, Report]
) -> None:
    runs = [(run_dirs[name], reports[name]) for name in ("PASS", "FAIL", "INVALID")]
    assert write_suite(tmp_path, runs, "nightly") is VerdictKind.FAIL
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junit.xml", "suite.html", "summary.md"]
    page = (tmp_path / "suite.html").read_text(encoding="utf-8")
    assert "3 runs: 1 PASS, 1 FAIL, 1 INVALID." in page
    assert len(ET.parse(tmp_path / "junit.xml").getroot().findall("testsuite")) == 3
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").startswith("## ✗ FAIL: nightly\n")


@pytest.mark.usefixtures("outside_github")
def test_the_links_of_the_suite_lead_to_the_pages_of_the_runs(
    tmp_path: Path, reports: dict[str, Report]
) -> None:
    run_dir = tmp_path / "runs" / "a run #1"
    run_dir.mkdir(parents=True)
    write_html(run_dir / "report.html", reports["PASS"])
    suite = tmp_path / "runs" / "suite"
    suite.mkdir()
    write_suite(suite, [(run_dir, reports["PASS"])])
    links = re.findall(r'<a href="([^"]*)"', (suite / "suite.html").read_text(encoding="utf-8"))
    assert [(suite / unquote(link)).resolve() for link in links] == [run_dir / "report.html"]


@pytest.mark.usefixtures("outside_github")
def test_a_suite_without_runs_is_inconclusive(tmp_path: Path) -> None:
    assert write_suite(tmp_path, []) is VerdictKind.INCONCLUSIVE
    assert "No run." in (tmp_path / "suite.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("outside_github")
def test_figures_of_an_invalid_run_are_struck_in_the_suite_too(
    tmp_path: Path, run_dirs: dict[str, Path], reports: dict[str, Report]
) -> None:
    write_suite(tmp_path, [(run_dirs["INVALID"], reports["INVALID"])])
    assert (tmp_path / "suite.html").read_text(encoding="utf-8").count('<s class="void">') == 5
