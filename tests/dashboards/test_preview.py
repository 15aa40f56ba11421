import json
import math
import re

import pytest

from dashboards import expressions
from dashboards.preview.axes import stage_names
from dashboards.preview.choice import Choice, Window, rate_interval_seconds, step_seconds
from dashboards.preview.heatmap import heatmap_figure
from dashboards.preview.lines import Drawn, line_figure, with_gaps
from dashboards.preview.page import Body, Page
from dashboards.preview.stat import stat_html
from dashboards.preview.units import ticks, written
from dashboards.prometheus import Exemplar, Line

WINDOW = Window(1000.0, 1060.0)


def panel_of(board: str, title: str) -> dict:
    return next(p for p in expressions.panels(expressions.boards()[board]) if p["title"] == title)


def drawn(panel: dict, *lines: Line, letter: str = "A") -> Drawn:
    return Drawn(next(t for t in panel["targets"] if t["refId"] == letter), lines)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"),
        (1.5, "s", "1.5 s"),
        (0.00002, "s", "20 µs"),
        (0.0, "s", "0"),
        (0.956, "percentunit", "95.6 %"),
        (3 * 2**30, "bytes", "3 GiB"),
        (2048.0, "Bps", "2 KiB/s"),
        (1234.0, "reqps", "1.23k req/s"),
        (350.0, "watt", "350 W"),
        (math.inf, "s", "∞"),
        (math.nan, "short", "–"),
    ],
)
def test_a_value_is_written_with_its_unit(value: float, unit: str, text: str):
    assert written(value, unit) == text


def test_a_linear_axis_has_round_marks_and_a_logarithmic_one_decades():
    assert ticks(0, 97, "reqps", log=False)[1] == ["0 req/s", "20 req/s", "40 req/s", "60 req/s", "80 req/s"]
    assert ticks(0.004, 0.6, "s", log=True)[1] == [
        "5 ms", "10 ms", "20 ms", "50 ms", "100 ms", "200 ms", "500 ms",
    ]  # fmt: skip
    assert ticks(0, 3.2 * 2**30, "bytes", log=False)[1] == ["0", "1 GiB", "2 GiB", "3 GiB"]


def test_the_rate_interval_is_grafanas():
    # max(step + scrape, 4 · scrape)
    assert rate_interval_seconds({"interval": "1s"}, Window(0, 60)) == 4
    assert rate_interval_seconds({}, Window(0, 60)) == 20
    assert step_seconds({"interval": "1s"}, Window(0, 2400)) == 10
    assert rate_interval_seconds({"interval": "1s"}, Window(0, 2400)) == 11


def test_a_query_gets_the_chosen_values():
    choice = Choice(Window(0, 60), {"run": "sale-1"}, {})
    text = 'rate(x{run=~"$run", scenario=~"$scenario"}[$__rate_interval])'
    assert choice.expression(text, {"interval": "1s"}) == 'rate(x{run=~"sale-1", scenario=~".*"}[4s])'


def test_steps_that_prometheus_left_out_are_a_gap():
    points = with_gaps(((0.0, 1.0), (5.0, 2.0), (30.0, 3.0)))
    assert [at for at, _ in points] == [0.0, 5.0, 10.0, 30.0]
    assert math.isnan(points[2][1])
    assert with_gaps(()) == []


def test_an_objective_is_a_dashed_line_and_a_trace_a_diamond():
    panel = panel_of("tidegate-run", "Time to first token")
    p99 = Line({}, ((1010.0, 0.5), (1015.0, math.nan)))
    limit = Line({"objective": "fast"}, ((1010.0, 0.2),))
    exemplar = Exemplar(1012.0, 0.48, {"trace_id": "ab" * 16})
    figure = line_figure(
        panel,
        [
            Drawn(panel["targets"][0], [p99], [exemplar]),
            drawn(panel, limit, letter="D"),
        ],
        [(1020.0, "rush")],
        WINDOW,
    )
    solid, diamonds, dashed = figure["data"]
    assert (solid["name"], solid["line"]["color"], solid["y"]) == ("P99", "#f2495c", [0.5, None])
    assert (dashed["name"], dashed["line"]["dash"]) == ("fast", "dash")
    assert "ab" * 16 in diamonds["text"][0]
    assert figure["layout"]["annotations"][0]["text"] == "rush"
    assert figure["layout"]["xaxis"]["range"] == ["1970-01-01T00:16:40.000", "1970-01-01T00:17:40.000"]


def test_names_of_stages_that_are_close_stand_above_each_other():
    names = stage_names(
        [(1000.0, "before"), (1030.0, "opening"), (1032.0, "sale"), (1047.0, "after")], WINDOW
    )
    assert [(each["text"], each["yshift"]) for each in names] == [
        ("before", 0),
        ("opening", 0),
        ("sale", 10),
        ("after", 0),
    ]


def test_a_stacked_axis_is_as_high_as_the_series_together():
    panel = panel_of("tidegate-run", "Errors by type")
    lines = [Line({"outcome": name}, ((1010.0, 4.0),)) for name in ("timeout", "refused")]
    figure = line_figure(panel, [drawn(panel, *lines)], [], WINDOW)
    assert figure["layout"]["yaxis"]["range"] == [0, pytest.approx(8.64)]


def test_a_heatmap_shows_each_bucket_by_itself():
    panel = panel_of("tidegate-run", "First tokens, all of them")
    cumulative = {"0.1": 2.0, "0.2": 5.0, "0.5": 5.0, "+Inf": 6.0}
    lines = [Line({"le": le}, ((1010.0, count),)) for le, count in cumulative.items()]
    (trace,) = heatmap_figure(panel, lines, WINDOW)["data"]
    assert trace["z"] == [
        [2.0],
        [3.0],
    ]  # nothing between 0.2 and 0.5, and what is beyond all bounds has no row


def test_a_figure_has_its_words_its_colour_and_its_line():
    panel = panel_of("tidegate-generator", "Valid so far")
    assert ">INVALID</b>" in stat_html(panel, [drawn(panel, Line({}, ((1.0, 1.0), (2.0, 0.0))))])
    assert ">valid</b>" in stat_html(panel, [drawn(panel, Line({}, ((1.0, 1.0),)))])
    dropped = panel_of("tidegate-generator", "Dropped so far")
    assert "color:#f2495c" in stat_html(dropped, [drawn(dropped, Line({}, ((1.0, 0.02),)))])
    assert "<svg" in stat_html(dropped, [drawn(dropped, Line({}, ((1.0, 0.0), (2.0, 0.02))))])


def test_a_figure_without_data_says_so():
    panel = panel_of("tidegate-run", "Open now")
    assert "no data" in stat_html(panel, [drawn(panel)])


def test_a_page_holds_all_its_panels_in_their_places_and_asks_nobody():
    board = expressions.boards()["tidegate-run"]
    panel = panel_of("tidegate-run", "End to end")
    bodies = {panel["id"]: Body({"data": [], "layout": {"title": "</script><b>"}})}
    page = Page(board, {"run": "<i>"}, bodies).html()
    assert page.count("<section") == len(expressions.panels(board))
    assert "grid-column:13/span 12" in page
    assert "<i>run</i>&lt;i&gt;" in page
    (stored,) = re.findall(r'id="figures">(.*?)</script>', page)
    assert list(json.loads(stored)) == [f"panel-{panel['id']}"]
    assert "default-src 'none'" in page
