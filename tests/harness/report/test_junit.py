"""JUnit XML: what CI systems read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harness.report.junit import write_junit
from harness.report.run_folder import Report
from harness.verdict.model import Verdict, VerdictKind

ALLOWED = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}


def suite_of(tmp_path: Path, *reports: Report) -> ET.Element:
    return ET.parse(write_junit(tmp_path / "junit.xml", reports)).getroot()


def found(suite: ET.Element) -> dict[str, str]:
    return {
        str(case.get("name")): next((child.tag for child in case), "passed")
        for case in suite.iter("testcase")
    }


def test_a_missed_objective_is_a_failure_and_a_held_one_passes(
    tmp_path: Path, reports: dict[str, Report]
) -> None:
    cases = found(suite_of(tmp_path, reports["FAIL"]))
    assert cases["sale-ttft"] == cases["refusals"] == "failure"
    assert cases["calm-ttft"] == cases["errors"] == "passed"


def test_an_undecided_objective_is_skipped(tmp_path: Path, reports: dict[str, Report]) -> None:
    assert found(suite_of(tmp_path, reports["INCONCLUSIVE"]))["calm-ttft-p99"] == "skipped"


@pytest.mark.parametrize("kind", ["INVALID", "ABORTED"])
def test_every_objective_of_a_spoiled_run_is_an_error(
    tmp_path: Path, reports: dict[str, Report], kind: str
) -> None:
    root = suite_of(tmp_path, reports[kind])
    assert set(found(root).values()) == {"error"}
    assert {error.get("type") for error in root.iter("error")} == {kind}


def test_a_run_without_objectives_is_not_an_empty_suite(tmp_path: Path, reports: dict[str, Report]) -> None:
    kind = VerdictKind.INCONCLUSIVE
    bare = replace(reports["PASS"], verdict=Verdict(kind, kind.exit_code, ("no_objectives: none",), ()))
    assert found(suite_of(tmp_path, bare)) == {"run": "skipped"}


def test_counts_are_those_of_the_cases_and_add_up(tmp_path: Path, reports: dict[str, Report]) -> None:
    root = suite_of(tmp_path, *reports.values())
    for suite in root:
        tags = {"failures": "failure", "errors": "error", "skipped": "skipped", "tests": "testcase"}
        for attribute, tag in tags.items():
            assert int(suite.get(attribute, "-1")) == len(list(suite.iter(tag)))
    for attribute in ("tests", "failures", "errors", "skipped"):
        assert int(root.get(attribute, "-1")) == sum(int(suite.get(attribute, "-1")) for suite in root)


def test_only_the_formats_own_elements_and_attributes_are_written(
    tmp_path: Path, reports: dict[str, Report]
) -> None:
    for element in suite_of(tmp_path, *reports.values()).iter():
        assert set(element.attrib) <= ALLOWED[element.tag], element.tag
        if element.tag == "testsuite":
            order = [child.tag for child in element]
            assert order == ["properties", *["testcase"] * (len(order) - 2), "system-out"]
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", str(element.get("timestamp")))
        assert float(element.get("time", "0")) >= 0


def test_control_characters_cannot_break_the_file(tmp_path: Path, reports: dict[str, Report]) -> None:
    kind = VerdictKind.ABORTED
    nasty = Verdict(kind, kind.exit_code, ("aborted: \x00\x1b[31mred\x07 <&> ]]>",), ())
    root = suite_of(tmp_path, replace(reports["PASS"], verdict=nasty))
    assert "red" in str(next(root.iter("error")).get("message"))
