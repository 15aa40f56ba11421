"""Every query of every panel and rule, asked of the real Prometheus that watched real runs."""

import math
from pathlib import Path

import pytest

from dashboards import expressions
from dashboards.preview.choice import Window, choose, step_seconds
from dashboards.preview.write import write_previews
from tests.stack.watched import WatchedRuns

GPU = "this machine has no GPU"
STEPS = "the scripted engine takes no steps, so its histogram of them is empty"
MAY_BE_EMPTY_PANELS = {
    ("tidegate-resources", "GPU memory"): GPU,
    ("tidegate-resources", "GPU utilization"): GPU,
    ("tidegate-resources", "GPU power"): GPU,
    ("tidegate-time", "Engine step"): STEPS,
    ("tidegate-time", "Batch size"): STEPS,  # its third query, the requests with a slot, is not empty
}
MAY_BE_EMPTY_RULES = {
    "TidegateRunSpoiled": "the runs were valid",
    "TidegateTargetSilent": "the target answered",
    "SloBurnsFast": "nothing in the runs lasted for the five minutes of its short window",
    "SloBurnsSlowly": "nothing in the runs lasted for days",
}


def seen(points) -> bool:
    return any(not math.isnan(value) for _, value in points)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("uid", sorted(expressions.boards()))
def test_every_panel_of_the_dashboard_shows_data(watched_runs: WatchedRuns, uid: str):
    board = expressions.boards()[uid]
    choice = choose(watched_runs.prometheus, Window(watched_runs.start, watched_runs.end), ".*").at(board)
    empty = set()
    for panel in expressions.panels(board):
        for target in panel["targets"]:
            expr = choice.expression(target["expr"], panel)
            window = choice.window
            lines = watched_runs.prometheus.query_range(
                expr, window.start, window.end, step_seconds(panel, window)
            )
            if not any(seen(line.points) for line in lines):
                empty.add((uid, panel["title"], expr))
    assert {each for each in empty if each[:2] not in MAY_BE_EMPTY_PANELS} == set()


@pytest.mark.timeout(400)
def test_every_rule_gives_something(watched_runs: WatchedRuns):
    empty = set()
    for file in expressions.rule_files():
        for rule in expressions.rules(file):
            name = rule.get("record") or rule["alert"]
            lines = watched_runs.prometheus.query_range(
                rule["expr"], watched_runs.start, watched_runs.end, 5.0
            )
            if not any(seen(line.points) for line in lines) and name not in MAY_BE_EMPTY_RULES:
                empty.add((file.name, name, str(rule.get("labels")), rule["expr"]))
    assert empty == set()


@pytest.mark.timeout(400)
def test_the_stages_of_both_runs_are_marked(watched_runs: WatchedRuns):
    (mark,) = (m for m in expressions.boards()["tidegate-run"]["annotations"]["list"] if "expr" in m)
    choice = choose(watched_runs.prometheus, Window(watched_runs.start, watched_runs.end), ".*")
    lines = watched_runs.prometheus.query_range(
        choice.expression(mark["expr"], {}), choice.window.start, choice.window.end, 1.0
    )
    starts = {line.labels["stage"]: sorted({value / 1000 for _, value in line.points}) for line in lines}
    assert set(starts) == {"calm", "rush", "after"}
    for first_calm, first_rush, first_after in zip(
        *(starts[s] for s in ("calm", "rush", "after")), strict=True
    ):
        assert (first_rush - first_calm, first_after - first_rush) == pytest.approx((12, 8))
    assert all(len(marks) == 2 for marks in starts.values())


@pytest.mark.timeout(400)
def test_a_comparison_moves_the_earlier_run_onto_the_later(watched_runs: WatchedRuns):
    choice = choose(watched_runs.prometheus, Window(watched_runs.start, watched_runs.end), None)
    earlier, later = watched_runs.ids
    assert (choice.values["run_a"], choice.values["run_b"]) == (later, earlier)
    starts = {
        line.labels["run"]: line.points[0][1]
        for line in watched_runs.prometheus.query(
            "last_over_time(tidegate:run_start_time_seconds[10m])", watched_runs.end
        )
    }
    assert int(choice.values["shift"]) == round(starts[later] - starts[earlier])


@pytest.mark.timeout(400)
def test_a_preview_draws_each_dashboard_into_one_file_that_asks_nobody(
    watched_runs: WatchedRuns, tmp_path: Path
):
    seconds = watched_runs.end - watched_runs.start
    files = list(write_previews(tmp_path, watched_runs.prometheus.url, seconds, None, watched_runs.end))
    assert [file.stem for file in files] == sorted(expressions.boards())
    page = (tmp_path / "tidegate-run.html").read_text()
    assert watched_runs.ids[1] in page
    assert '"name":"offered"' in page
    assert "default-src 'none'" in page
    assert "no data" not in page.split("<script")[0]
