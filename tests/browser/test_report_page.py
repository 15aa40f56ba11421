"""The report in a real browser, opened from a file: it draws, fits every screen, and asks no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from harness.report.html import write_html
from harness.report.run_folder import read_run
from harness.report.suite import write_suite
from tests.harness.report.run_folders import KINDS, Kind, write_run
from tests.harness.report.synthetic import Shape

CHROMIUM = Path("/usr/bin/chromium")
CHARTS = 8
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser: {CHROMIUM} is not installed"),
]


@dataclass
class Watched:
    """A page, and everything that it complained about or asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("pages")
    kinds = {name: KINDS[name] for name in ("FAIL", "INVALID")}
    kinds["EMPTY"] = Kind(Shape(load=1e-9), aborted="the target could not be reached")
    pages, runs = {}, []
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GITHUB_STEP_SUMMARY", raising=False)
        for name, kind in kinds.items():
            run_dir = write_run(root / name, kind)
            runs.append((run_dir, read_run(run_dir)))
            pages[name] = write_html(run_dir / "report.html", runs[-1][1])
        write_suite(root, runs)
    return {**pages, "SUITE": root / "suite.html"}


def opened(browser: Browser, file: Path, width: int, scheme: str = "light") -> Watched:
    """Open a file and wait until its charts are drawn."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    watched = Watched(page)
    page.on("console", lambda message: watched.complaints.append(message.text))
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on("request", lambda request: watched.requests.append(request.url))
    page.goto(file.as_uri())
    if page.locator(".plot").count():
        page.wait_for_selector("html[data-drawn=yes]")
    return watched


def overflow_px(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def until(page: Page, expression: str) -> None:
    """Wait until an expression is true. (The page's policy forbids the polling that playwright injects.)"""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"never came true: {expression}")


@pytest.fixture(scope="module")
def failed_run(browser: Browser, files: dict[str, Path]) -> Iterator[Page]:
    """The FAIL page on a wide light screen, for the tests that only look."""
    page = opened(browser, files["FAIL"], 1280).page
    yield page
    page.close()


@pytest.fixture(scope="module")
def dark_page(browser: Browser, files: dict[str, Path]) -> Iterator[Page]:
    page = opened(browser, files["FAIL"], 1280, "dark").page
    yield page
    page.close()


@pytest.mark.parametrize("name", ["FAIL", "EMPTY", "SUITE"])
def test_the_page_fits_complains_about_nothing_and_asks_for_nothing_but_itself(
    browser: Browser, files: dict[str, Path], name: str
) -> None:
    watched = opened(browser, files[name], 1280)
    assert overflow_px(watched.page) <= 0
    watched.page.set_viewport_size({"width": 390, "height": 844})
    watched.page.wait_for_timeout(800)
    assert overflow_px(watched.page) <= 0
    assert watched.complaints == []
    assert [url for url in watched.requests if not url.startswith(("data:", "blob:"))] == [
        files[name].as_uri()
    ]
    watched.page.close()


def test_the_page_that_is_opened_on_a_phone_fits_it(browser: Browser, files: dict[str, Path]) -> None:
    watched = opened(browser, files["FAIL"], 390)
    assert overflow_px(watched.page) <= 0
    assert watched.complaints == []
    watched.page.close()


def test_the_banner_tells_verdict_and_reason(failed_run: Page) -> None:
    assert failed_run.locator(".banner .word").inner_text() == "✗ FAIL"
    assert failed_run.locator(".banner .why").inner_text().startswith("2 of 6 objectives missed: TTFT p90")
    assert failed_run.title() == "FAIL: flash-sale"


def test_every_chart_is_drawn_with_its_lines_and_its_stage_bands(failed_run: Page) -> None:
    assert failed_run.locator(".plot").count() == CHARTS
    for plot in failed_run.locator(".plot").all():
        assert plot.locator("svg.main-svg").count() >= 1
        assert plot.locator(".shapelayer path").count() >= 4, plot.get_attribute("data-chart")
        names = [text.text_content() for text in plot.locator(".annotation-text").all()]
        assert {"calm", "sale", "fade", "after"} <= set(names)
    assert failed_run.locator("[data-chart=load] .scatterlayer .trace").count() == 4
    assert failed_run.locator("[data-chart=heatmap] .heatmaplayer image").count() == 1
    assert failed_run.locator("[data-chart=outcomes] .barlayer .trace").count() == 3
    assert failed_run.locator("svg.gauge").count() == 6


def test_zooming_one_chart_in_time_zooms_all(failed_run: Page) -> None:
    ends = (
        "[...document.querySelectorAll('.plot')].map(p => p._fullLayout.xaxis.range.map(Math.round).join())"
    )
    assert set(failed_run.evaluate(ends)) == {"0,163"}
    box = failed_run.locator("[data-chart=load] .nsewdrag").first
    box.scroll_into_view_if_needed()
    area = box.bounding_box()
    assert area is not None
    failed_run.mouse.move(area["x"] + area["width"] * 40 / 163, area["y"] + 50)
    failed_run.mouse.down()
    failed_run.mouse.move(area["x"] + area["width"] * 80 / 163, area["y"] + 52, steps=4)
    failed_run.mouse.up()
    until(failed_run, f"{ends}.every(range => range === '40,80')")


def test_figures_of_an_invalid_run_are_struck_out_and_the_charts_of_the_target_say_not_valid(
    browser: Browser, files: dict[str, Path]
) -> None:
    watched = opened(browser, files["INVALID"], 1280)
    page = watched.page
    struck = page.locator("s.void").first
    assert struck.evaluate("e => getComputedStyle(e).textDecorationLine") == "line-through"
    assert page.locator(".watermark", has_text="NOT VALID").count() == CHARTS - 1
    # The chart of the generator is the evidence against the run: it stays as it is.
    assert page.locator("figure:has([data-chart=generator]) .watermark").count() == 0
    assert page.locator(".banner li").count() == 3
    assert overflow_px(page) <= 0
    assert watched.complaints == []
    page.close()


def test_on_paper_the_page_is_light_and_fits_the_sheet(dark_page: Page) -> None:
    dark_page.evaluate("dispatchEvent(new Event('beforeprint'))")
    dark_page.emulate_media(media="print")
    until(dark_page, "getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'")
    right = (
        "Math.max(...[...document.querySelectorAll('svg, table')].map(e => e.getBoundingClientRect().right))"
    )
    until(dark_page, f"{right} <= 682")  # A4 less its margins, at 96 dots per inch
    dark_page.emulate_media(media="screen")
    dark_page.evaluate("dispatchEvent(new Event('afterprint'))")


def test_the_charts_take_the_colours_of_the_scheme_and_follow_when_it_changes(dark_page: Page) -> None:
    line = "[...document.querySelectorAll('[data-chart=load] path.js-line')][1]"
    stroke = f"getComputedStyle({line}).stroke === '{{}}'"
    dark_page.emulate_media(color_scheme="dark")
    until(dark_page, stroke.format("rgb(224, 140, 198)"))
    dark_page.emulate_media(color_scheme="light")
    until(dark_page, stroke.format("rgb(181, 85, 155)"))
