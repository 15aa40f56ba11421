"""The HTML page as text; tests/browser opens it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.report.html import page, write_html
from harness.report.run_folder import Report, read_run
from harness.report.units import seconds
from tests.harness.report.run_folders import Kind, write_run
from tests.harness.report.synthetic import Shape

KINDS = ("PASS", "FAIL", "INCONCLUSIVE", "INVALID", "ABORTED")


def without_scripts(html: str) -> str:
    return re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


@pytest.fixture(scope="session")
def pages(reports: dict[str, Report]) -> dict[str, str]:
    return {name: page(report) for name, report in reports.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_names_no_address_outside_itself(pages: dict[str, str], kind: str) -> None:
    markup = without_scripts(pages[kind])
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', markup) == []
    assert "@import" not in markup
    assert "url(" not in markup


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_forbids_every_request_by_policy(pages: dict[str, str], kind: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', pages[kind])
    assert policy is not None
    assert policy[1].startswith("default-src &#x27;none&#x27;")
    assert "connect-src" not in policy[1]


def test_the_chart_library_is_embedded_once(pages: dict[str, str]) -> None:
    assert pages["PASS"].count("plotly.js v") == 1


@pytest.mark.parametrize("kind", ["PASS", "FAIL", "INCONCLUSIVE"])
def test_what_a_valid_run_measured_is_not_struck_through(pages: dict[str, str], kind: str) -> None:
    assert '<s class="void">' not in pages[kind]


def test_an_invalid_run_shows_no_measured_percentile_unstruck(
    pages: dict[str, str], reports: dict[str, Report]
) -> None:
    markup = without_scripts(pages["INVALID"])
    latency = reports["INVALID"].summary.whole.latencies["e2e"]
    for value in (latency.p50, latency.over_ok["p99"], latency.max_ok):
        shown = seconds(value)
        assert f'<s class="void">{shown}</s>' in markup
        assert shown not in re.sub(r"<s class=\"void\">.*?</s>", "", markup)


def test_an_invalid_run_tells_every_reason_before_the_first_figure(
    pages: dict[str, str], reports: dict[str, Report]
) -> None:
    top = pages["INVALID"].partition('id="figures"')[0]
    for reason in reports["INVALID"].verdict.reasons:
        assert reason.partition(": ")[2][1:].replace("'", "&#x27;") in top


def test_an_aborted_run_is_labelled_partial(pages: dict[str, str]) -> None:
    assert ">partial<" in pages["ABORTED"]
    assert ">PARTIAL<" in pages["ABORTED"]
    assert "not valid" not in without_scripts(pages["ABORTED"])


def test_text_from_the_scenario_cannot_become_markup(reports: dict[str, Report]) -> None:
    hostile = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
    scenario = reports["PASS"].scenario.model_copy(update={"description": hostile})
    html = page(replace(reports["PASS"], scenario=scenario, environment={"cpu": hostile}))
    assert "<img" not in without_scripts(html)
    assert "alert(2)</script>" not in html


def test_the_chart_data_is_strict_json(pages: dict[str, str]) -> None:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', pages["FAIL"])
    assert found is not None
    charts = json.loads(found[1], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert set(charts) == {"load", "ttft", "e2e", "heatmap", "in_flight", "outcomes", "generator", "tokens"}
    assert [mark["label"] for mark in charts["load"]["marks"]] == ["first breach", "drained", "recovered"]
    assert [stage["name"] for stage in charts["load"]["stages"]] == ["calm", "sale", "fade", "after"]


def test_seconds_without_a_finite_p99_are_marked_and_not_just_left_out(reports: dict[str, Report]) -> None:
    found = re.search(r'id="charts">(.*?)</script>', page(reports["FAIL"]))
    assert found is not None
    traces = {trace["name"]: trace for trace in json.loads(found[1])["ttft"]["traces"]}
    unbounded = [t for t, p99 in enumerate(reports["FAIL"].summary.series.ttft_p99) if p99 == float("inf")]
    assert [x - 0.5 for x in traces["p99 is ∞"]["x"]] == unbounded
    assert all(traces["p99"]["y"][t] is None for t in unbounded)


def test_a_run_in_which_every_request_failed_still_makes_a_page(tmp_path: Path) -> None:
    report = read_run(write_run(tmp_path / "run", Kind(Shape(load=0.2, failed_share=1.0))))
    html = write_html(tmp_path / "report.html", report).read_text(encoding="utf-8")
    assert "✗ FAIL" in html


def test_a_run_without_a_single_record_still_makes_a_page(tmp_path: Path) -> None:
    kind = Kind(Shape(load=1e-9), aborted="the target could not be reached")
    report = read_run(write_run(tmp_path / "run", kind))
    assert "■ ABORTED" in page(report)


def test_a_run_without_spike_has_no_flash_sale_section(reports: dict[str, Report]) -> None:
    summary = replace(reports["PASS"].summary, spike=None)
    assert 'id="sale"' not in page(replace(reports["PASS"], summary=summary))
    assert 'id="sale"' in page(reports["PASS"])


def test_counts_that_the_server_does_not_tell_are_not_shown_as_agreeing(reports: dict[str, Report]) -> None:
    report = reports["PASS"]
    counts = report.summary.reconciliation
    assert counts is not None
    untold = replace(counts, server_requests=None, requests_agree=None)
    html = page(replace(report, summary=replace(report.summary, reconciliation=untold)))
    assert ">not told<" in html
    absent = page(replace(report, summary=replace(report.summary, reconciliation=None)))
    assert "could not be read" in absent
