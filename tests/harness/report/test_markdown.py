"""The Markdown summary, and the job page of GitHub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.report.markdown import escape, markdown, write_markdown
from harness.report.run_folder import Report


def test_the_summary_begins_with_the_verdict_and_lists_every_objective(reports: dict[str, Report]) -> None:
    text = markdown(reports["FAIL"])
    assert text.startswith("## ✗ FAIL: flash-sale\n")
    for result in reports["FAIL"].verdict.results:
        assert f"| {result.objective.name}: " in text
    assert "| sale-ttft: TTFT p90 | stages sale, fade | ∞ |" in text


def test_every_row_of_a_table_has_as_many_cells_as_its_head(reports: dict[str, Report]) -> None:
    for report in reports.values():
        width = 0
        for line in markdown(report).splitlines():
            cells = line.replace("\\|", "").count("|") if line.startswith("|") else 0
            assert width in (0, cells) or not cells
            width = cells


def test_what_an_invalid_run_measured_says_so_in_every_cell(reports: dict[str, Report]) -> None:
    rows = [line for line in markdown(reports["INVALID"]).splitlines() if line.startswith("| calm-ttft")]
    assert len(rows) == 1
    assert rows[0].count("not valid (") == 2


def test_the_summary_is_appended_to_the_step_summary_when_github_names_one(
    reports: dict[str, Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "step.md"
    page.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    written = write_markdown(tmp_path / "summary.md", reports["PASS"])
    assert page.read_text() == f"before\n{written.read_text()}\n"


def test_no_step_summary_is_written_outside_github(
    reports: dict[str, Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    write_markdown(tmp_path / "summary.md", reports["PASS"])
    assert [path.name for path in tmp_path.iterdir()] == ["summary.md"]


def test_markup_in_names_is_escaped(reports: dict[str, Report]) -> None:
    assert escape("a|b*c<d\ne") == "a\\|b\\*c&lt;d e"
    target = reports["PASS"].scenario.target.model_copy(update={"model": "<b>|x"})
    scenario = reports["PASS"].scenario.model_copy(update={"target": target})
    assert "<b>" not in markdown(replace(reports["PASS"], scenario=scenario))
