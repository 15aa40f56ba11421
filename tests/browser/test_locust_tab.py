"""Our tab in Locust's web page, in a real browser: start, watch, stop, verdict."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, sync_playwright

from tests.harness.load.servers import Server, free_port, slow_stream

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).parents[2]
LOCUSTFILE = ROOT / "harness" / "load" / "locustfile.py"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
SCENARIO = """
name: {name}
target: {{model: m}}
workload: {{prompt_tokens: 8, output_tokens: 3}}
drain: 2s
stages:
  - {{name: first, duration: {seconds}s, rate: 30/s, arrivals: constant}}
  - {{name: second, duration: {seconds}s, rate: 60/s, arrivals: constant}}
slos:
  - {{name: first-token, metric: ttft, percentile: 50, at_most: 1s}}
  - {{name: second-only, metric: ttft, percentile: 50, at_most: 1s, stages: [second]}}
limits: {{schedule_delay_p99: 500ms, loop_lag_p99: 500ms, clock_uncertainty: 500ms}}
"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed"),
]


@dataclass
class Opened:
    """A page, what it complained about, and where Locust keeps its files."""

    page: Page
    base: str
    target: str
    folder: Path
    complaints: list[str] = field(default_factory=list)

    @property
    def tab(self) -> FrameLocator:
        return self.page.frame_locator("#tidegate-frame")

    def tile(self, name: str) -> str:
        return self.tab.locator(f".tile:has(dt:text-is('{name}')) dd").inner_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    for name, seconds in (("short", 3), ("long", 60)):
        (scenarios / f"{name}.yaml").write_text(SCENARIO.format(name=name, seconds=seconds))
    port = free_port()
    command = ["-f", str(LOCUSTFILE), "--web-host", "127.0.0.1", "--web-port", str(port)]
    with Server(slow_stream(0.02, 0.01, 3)) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "locust", *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        base = f"http://127.0.0.1:{port}"
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        opened = Opened(page, base, server.url, tmp_path)
        page.on("console", lambda message: opened.complaints.append(message.text))
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        try:
            until_it_answers(base)
            yield opened
        finally:
            page.close()
            process.terminate()
            process.communicate(timeout=60)


def until_it_answers(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=5).read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"{url} never answered")


def start(opened: Opened, scenario: str) -> None:
    """Choose a scenario on our page, as it lists them, and press its start button."""
    opened.page.goto(f"{opened.base}/tidegate/")
    form = opened.page.locator("#start")
    form.wait_for()
    assert form.locator("option").all_inner_texts() == ["scenarios/long.yaml", "scenarios/short.yaml"]
    form.locator("select").select_option(f"scenarios/{scenario}.yaml")
    form.locator("input[name=host]").fill(opened.target)
    form.locator("button").click()
    opened.page.locator("#stop").wait_for()


def test_a_run_started_on_the_page_is_watched_in_locusts_tab_and_ends_with_its_verdict(
    opened: Opened,
) -> None:
    start(opened, "short")
    opened.page.goto(f"{opened.base}/?tab=tidegate")
    assert opened.page.locator('[role="tab"]').last.inner_text().lower() == "tidegate"
    opened.tab.locator(".stage.current", has_text="second").wait_for(timeout=20_000)
    assert "not the verdict" in opened.tab.locator("#sofar").inner_text()
    states = opened.tab.locator("#rows .pill").all_inner_texts()
    assert states == ["✓ within so far", "at the end"]
    assert 0 < int(opened.tile("Offered").replace(",", "")) < 270
    assert opened.tile("Failed") == "0"
    opened.tab.locator("#verdict.PASS").wait_for(timeout=30_000)
    assert opened.tile("Completed") == "270"  # 3 s at 30/s and 3 s at 60/s
    assert opened.tab.locator("#rows .pill").all_inner_texts() == ["✓ PASS", "✓ PASS"]
    link = opened.tab.locator("#report").evaluate("a => a.href")
    with urllib.request.urlopen(link, timeout=5) as report:
        assert b"PASS: short" in report.read()
    assert opened.complaints == []


def test_the_stop_button_ends_the_run_in_order_and_another_can_follow(opened: Opened) -> None:
    start(opened, "long")
    opened.page.locator(".stage.current", has_text="first").wait_for(timeout=20_000)
    opened.page.wait_for_timeout(1500)
    opened.page.locator("#stop").click()
    opened.page.locator("#verdict.ABORTED").wait_for(timeout=30_000)
    opened.page.locator("#start").wait_for()
    start(opened, "short")
    opened.page.locator("#verdict.PASS").wait_for(timeout=40_000)
    assert len(list((opened.folder / "runs").iterdir())) == 2
    assert opened.complaints == []


def test_locusts_own_form_offers_the_scenarios_and_leads_to_our_page(opened: Opened) -> None:
    opened.page.goto(opened.base)
    opened.page.get_by_text("Custom parameters", exact=True).click()
    offered = opened.page.locator("select[name=scenario] option").all_inner_texts()
    assert [name for name in offered if name.strip()] == ["scenarios/long.yaml", "scenarios/short.yaml"]
    opened.page.get_by_role("link", name="the tidegate page").click()
    opened.page.locator("#start").wait_for()
    assert opened.page.locator("#title").inner_text() == "No run yet"


def test_a_target_that_does_not_answer_is_told_on_the_page(opened: Opened) -> None:
    opened.page.goto(f"{opened.base}/tidegate/")
    opened.page.locator("#start").wait_for()
    opened.page.locator("input[name=host]").fill("http://127.0.0.1:1")
    opened.page.locator("#start button").click()
    opened.page.locator("#error:not([hidden])").wait_for(timeout=20_000)
    assert "no answer from http://127.0.0.1:1" in opened.page.locator("#error").inner_text()


def test_the_page_fits_a_phone(opened: Opened) -> None:
    start(opened, "short")
    opened.page.locator("#verdict:not([hidden])").wait_for(timeout=40_000)
    opened.page.set_viewport_size({"width": 390, "height": 844})
    opened.page.wait_for_timeout(1200)
    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert opened.page.evaluate(wider) <= 0
