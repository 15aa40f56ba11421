"""What Kibana would ask, asked of the real Elasticsearch that two real runs were shipped to."""

import json
import urllib.request
from typing import Any

import pytest

from dashboards.kibana.board import CHARTS
from dashboards.kibana.lens import Chart
from dashboards.kibana.searches import SEARCHES, Search
from dashboards.kibana.views import View
from tests.stack.conftest import NativeStack
from tests.stack.watched import WatchedRuns

MAY_BE_INFINITE = {"P99, ms", "P95, ms", "E2E P99, ms"}
"""More than a hundredth, or a twentieth, of what was offered got no answer: no number is stored."""

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def url(native_stack: NativeStack, watched_runs: WatchedRuns) -> str:
    assert watched_runs.ids
    assert native_stack.endpoints.elasticsearch is not None
    return native_stack.endpoints.elasticsearch


def ask(url: str, view: View, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/{view.indexes}/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def fields_of(url: str, view: View) -> set[str]:
    return set(ask(url, view, "_field_caps?fields=*")["fields"])


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: search.id)
def test_a_saved_search_finds_what_its_title_says(url: str, search: Search):
    found = ask(url, search.view, "_search", search.to_request())
    assert found["hits"]["total"]["value"] > 0
    assert found["_shards"]["failed"] == 0
    assert set(search.columns) | {search.sort[0]} <= fields_of(url, search.view)


def test_errors_are_neither_answers_nor_refusals(url: str):
    search = next(each for each in SEARCHES if each.id == "tidegate-errors")
    found = ask(url, search.view, "_search?size=500", search.to_request())
    outcomes = {hit["_source"]["tidegate.outcome"] for hit in found["hits"]["hits"]}
    assert outcomes
    assert not outcomes & {"ok", "rejected"}


def test_the_slowest_request_comes_first(url: str):
    search = next(each for each in SEARCHES if each.id == "tidegate-slowest")
    found = ask(url, search.view, "_search?size=50", search.to_request())
    took = [hit["_source"]["tidegate.e2e_ms"] for hit in found["hits"]["hits"]]
    assert took == sorted(took, reverse=True)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.id)
def test_a_chart_has_a_figure_in_every_bucket(url: str, chart: Chart):
    buckets = ask(url, chart.view, "_search", chart.to_request())["aggregations"]["by"]["buckets"]
    assert buckets
    rows = [row for bucket in buckets for row in bucket.get("split", {"buckets": [bucket]})["buckets"]]
    for index, figure in enumerate(chart.figures):
        if figure.operation == "max" and figure.label not in MAY_BE_INFINITE:
            assert all(row[f"figure_{index}"]["value"] is not None for row in rows), figure.label
        elif figure.operation == "count":
            assert all(row["doc_count"] > 0 for row in rows)


def test_both_runs_are_on_the_dashboard_of_runs(url: str, watched_runs: WatchedRuns):
    chart = next(each for each in CHARTS if each.id == "tidegate-first-token")
    buckets = ask(url, chart.view, "_search", chart.to_request())["aggregations"]["by"]["buckets"]
    assert set(watched_runs.ids) <= {bucket["key"] for bucket in buckets}
