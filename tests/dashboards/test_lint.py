import copy
from typing import Any

import pytest

from dashboards import expressions
from dashboards.expressions import Expression
from dashboards.lint import expression_faults, faults, rule_faults
from dashboards.lint_boards import board_faults
from dashboards.promql import read, substitute, variables_of
from observability.foreign_names import FOREIGN_METRICS

KNOWN = {"up": frozenset({"job", "instance"}), "x_bucket": frozenset({"le", "job"})}


@pytest.fixture
def board() -> dict[str, Any]:
    return copy.deepcopy(expressions.boards()["tidegate-run"])


def panel(board: dict[str, Any], title: str) -> dict[str, Any]:
    return next(each for each in board["panels"] if each["title"] == title)


def test_what_is_committed_has_no_fault():
    assert faults() == []


def test_no_foreign_metric_is_in_the_table_for_nothing():
    read_series = {each.series for e in expressions.all_expressions() for each in read(e.text).selected}
    unused = [metric.name for metric in FOREIGN_METRICS if not read_series & set(metric.series)]
    assert unused == []


def test_there_are_six_dashboards_with_the_names_that_people_look_for():
    titles = {board["title"].removeprefix("tidegate / ") for board in expressions.boards().values()}
    assert titles == {
        "Run",
        "Where the time goes",
        "Resources",
        "Generator health",
        "Compare",
        "Any vLLM",
    }


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda b: panel(b, "Open now").update(title=""), "has no title"),
        (lambda b: panel(b, "Open now").update(description="Now."), "Open now: no description"),
        (lambda b: panel(b, "Open now")["fieldConfig"]["defaults"].pop("unit"), "Open now: no unit"),
        (lambda b: panel(b, "Open now").update(id=panel(b, "End to end")["id"]), "two panels have the id"),
        (lambda b: panel(b, "Open now").update(title="End to end"), "two panels have the title End to end"),
        (lambda b: panel(b, "End to end")["gridPos"].update(x=11), "and End to end overlap"),
        (
            lambda b: panel(b, "End to end")["gridPos"].update(x=13),
            "End to end: reaches beyond the 24 columns",
        ),
        (
            lambda b: panel(b, "Open now")["datasource"].update(uid="mine"),
            "Open now: does not ask the data source",
        ),
        (
            lambda b: panel(b, "End to end")["targets"][0].update(expr="rate(up[5m])"),
            "End to end A: [5m] in place of [$__rate_interval]",
        ),
        (lambda b: panel(b, "Open now")["targets"][0].update(legendFormat=""), "Open now A: no legend"),
        (
            lambda b: panel(b, "Open now")["targets"][0].update(legendFormat="{{job}}"),
            "Open now A: its legend names job",
        ),
        (lambda b: b["templating"]["list"].pop(1), "uses the variable scenario, which it does not have"),
        (lambda b: b["templating"]["list"].append({"name": "extra"}), "the variable extra is used nowhere"),
        (lambda b: b.update(description=""), "no description"),
        (lambda b: b["links"][0].pop("tooltip"), "link Traces in Jaeger: no tooltip"),
    ],
)
def test_each_kind_of_fault_is_told(board: dict[str, Any], spoil, told: str):
    assert list(board_faults(board)) == []
    spoil(board)
    assert any(told in fault for fault in board_faults(board)), list(board_faults(board))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sum(rate(up[5m])", "not PromQL"),
        ("sum(down)", "down is in no table of names"),
        ('sum(up{pod="a"})', "up has no label pod"),
        ("sum by (le, pod) (x_bucket)", "none of its series has the label pod"),
        ("up * on (instance, pod) group_left (zone) x_bucket", "none of its series has the label pod, zone"),
        ('{job="a"}', "a selector without a name is in no table of names"),
    ],
)
def test_a_query_of_what_does_not_exist_is_told(text: str, told: str):
    (fault,) = expression_faults(Expression("board", "panel A", text), KNOWN)
    assert fault.startswith("board: panel A: ")
    assert told in fault


def test_an_alert_without_words_for_the_one_whom_it_wakes_is_told():
    alert = {"alert": "Late", "labels": {}, "annotations": {"summary": "late"}}
    assert list(rule_faults(alert)) == ["alert Late: no label severity", "alert Late: no description"]


def test_selectors_are_found_wherever_they_stand():
    quantile = "histogram_quantile(0.9, sum by (le) (rate(a[1m]) and on (job) b))"
    text = f"{quantile} > scalar(-c) or max_over_time(d[5m:1m])"
    reading = read(text)
    assert {each.series for each in reading.selected} == {"a", "b", "c", "d"}
    assert reading.grouped == {"le", "job"}
    assert reading.ranges == ("1m", "5m:1m")


def test_variables_are_filled_in_as_grafana_does():
    text = 'rate(x{run=~"$run"}[$__rate_interval]) offset ${shift}s # ${__from:date:iso}'
    assert variables_of(text) == {"run", "__rate_interval", "shift", "__from"}
    filled = substitute(text, {"run": "r1", "shift": "-40"})
    assert filled == 'rate(x{run=~"r1"}[15s]) offset -40s # .*'
