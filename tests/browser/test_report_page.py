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


@pytest.mark.parametrize("name", ["FAIL", "INVALID", "EMPTY", "SUITE"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_complains_about_nothing_and_asks_for_nothing_but_itself(
    browser: Browser, files: dict[str, Path], name: str, width: int
) -> None:
    watched = opened(browser, files[name], width)
    assert overflow_px(watched.page) <= 0
    assert watched.complaints == []
    assert [url for url in watched.requests if not url.startswith(("data:", "blob:"))] == [
        files[name].as_uri()
    ]
    watched.page.close()


def test_the_banner_tells_verdict_and_reason(browser: Browser, files: dict[str, Path]) -> None:
    page = opened(browser, files["FAIL"], 1280).page
    assert page.locator(".banner .word").inner_text() == "✗ FAIL"
    assert page.locator(".banner .why").inner_text().startswith("2 of 6 objectives missed: TTFT p90")
    assert page.title() == "FAIL: flash-sale"
    page.close()


def test_every_chart_is_drawn_with_its_lines_and_its_stage_bands(
    browser: Browser, files: dict[str, Path]
) -> None:
    page = opened(browser, files["FAIL"], 1280).page
    assert page.locator(".plot").count() == CHARTS
    for plot in page.locator(".plot").all():
        assert plot.locator("svg.main-svg").count() >= 1
        assert plot.locator(".shapelayer path").count() >= 4, plot.get_attribute("data-chart")
        names = [text.text_content() for text in plot.locator(".annotation-text").all()]
        assert {"calm", "sale", "fade", "after"} <= set(names)
    assert page.locator("[data-chart=load] .scatterlayer .trace").count() == 4
    assert page.locator("[data-chart=heatmap] .heatmaplayer image").count() == 1
    assert page.locator("[data-chart=outcomes] .barlayer .trace").count() == 3
    assert page.locator("svg.gauge").count() == 6
    page.close()


def test_the_charts_take_the_colours_of_the_scheme_and_follow_when_it_changes(
    browser: Browser, files: dict[str, Path]
) -> None:
    page = opened(browser, files["FAIL"], 1280, "dark").page
    line = page.locator("[data-chart=load] .scatterlayer .trace path.js-line").nth(1)
    colour = "element => getComputedStyle(element).stroke"
    assert line.evaluate(colour) == "rgb(224, 140, 198)"
    page.emulate_media(color_scheme="light")
    page.wait_for_function("getComputedStyle(document.body).color === 'rgb(22, 27, 34)'")
    page.wait_for_timeout(300)
    assert line.evaluate(colour) == "rgb(181, 85, 155)"
    page.close()


def test_figures_of_an_invalid_run_are_struck_out_and_every_chart_says_not_valid(
    browser: Browser, files: dict[str, Path]
) -> None:
    page = opened(browser, files["INVALID"], 1280).page
    struck = page.locator("s.void").first
    assert struck.evaluate("e => getComputedStyle(e).textDecorationLine") == "line-through"
    assert page.locator(".watermark", has_text="NOT VALID").count() == CHARTS
    assert page.locator(".banner li").count() == 3
    page.close()


def test_zooming_one_chart_in_time_zooms_all(browser: Browser, files: dict[str, Path]) -> None:
    page = opened(browser, files["FAIL"], 1280).page
    page.evaluate("Plotly.relayout(document.querySelector('[data-chart=load]'), {'xaxis.range': [30, 60]})")
    page.wait_for_function(
        "[...document.querySelectorAll('.plot')].every(p => p._fullLayout.xaxis.range[1] === 60)"
    )
    page.close()


def test_on_paper_the_page_is_light_and_fits_the_sheet(browser: Browser, files: dict[str, Path]) -> None:
    page = opened(browser, files["FAIL"], 1280, "dark").page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_timeout(500)
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    widest = (
        "Math.max(...[...document.querySelectorAll('svg, table')].map(e => e.getBoundingClientRect().right))"
    )
    assert page.evaluate(widest) <= 682
    page.close()
