"""The dashboard of runs: how each ended, how fast it was, what it carried."""

from __future__ import annotations

import json

from dashboards.kibana.lens import Chart, Figure
from dashboards.kibana.saved import SavedObject
from dashboards.kibana.views import REQUESTS, RUNS

BOARD_ID = "tidegate-runs-board"
_RUN, _SCENARIO, _VERDICT = "labels.run_id", "labels.scenario", "tidegate.verdict"
_WIDTH, _HEIGHT = 24, 15
"""Half of Kibana's 48 columns."""

CHARTS = (
    Chart(
        "tidegate-verdicts",
        "Verdicts by scenario",
        "How many runs of each scenario ended how.",
        RUNS,
        "bar_stacked",
        _SCENARIO,
        (Figure("Runs", "count"),),
        split=_VERDICT,
    ),
    Chart(
        "tidegate-first-token",
        "Time to first token of each run",
        "Milliseconds from when requests were due; over all that were offered. No bar: infinite, for "
        "more than that share got no answer.",
        RUNS,
        "bar_horizontal",
        _RUN,
        (
            Figure("P99, ms", "max", "tidegate.ttft_p99_ms"),
            Figure("P95, ms", "max", "tidegate.ttft_p95_ms"),
            Figure("P50, ms", "max", "tidegate.ttft_p50_ms"),
        ),
    ),
    Chart(
        "tidegate-runs-table",
        "Runs",
        "The newest runs with what was offered and what came of it.",
        RUNS,
        "table",
        _RUN,
        (
            Figure("Offered per second", "max", "tidegate.offered_per_second"),
            Figure("Good per second", "max", "tidegate.goodput_per_second"),
            Figure("Attainment", "max", "tidegate.attainment_share"),
            Figure("Errors", "max", "tidegate.error_share"),
            Figure("E2E P99, ms", "max", "tidegate.e2e_p99_ms"),
        ),
        split=_VERDICT,
        size=50,
    ),
    Chart(
        "tidegate-outcomes",
        "Outcomes by stage",
        "How the requests of each stage ended.",
        REQUESTS,
        "bar_stacked",
        "labels.stage",
        (Figure("Requests", "count"),),
        split="tidegate.outcome",
    ),
)


def board() -> SavedObject:
    """Return the dashboard, two charts a line."""
    panels = [_panel(index) for index in range(len(CHARTS))]
    attributes = {
        "title": "tidegate: runs",
        "description": "Every run that was kept: its verdict, its latencies, its load.",
        "panelsJSON": json.dumps(panels),
        "optionsJSON": json.dumps({"useMargins": True, "syncCursor": True, "hidePanelTitles": False}),
        "timeRestore": True,
        "timeFrom": "now-30d",
        "timeTo": "now",
        "version": 3,
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": json.dumps({"query": {"language": "kuery", "query": ""}, "filter": []})
        },
    }
    references = tuple((f"{i}:panel_{i}", "lens", chart.id) for i, chart in enumerate(CHARTS))
    return SavedObject("dashboard", BOARD_ID, attributes, references)


def _panel(index: int) -> dict[str, object]:
    place = {"x": index % 2 * _WIDTH, "y": index // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT, "i": str(index)}
    return {
        "type": "lens",
        "panelIndex": str(index),
        "panelRefName": f"panel_{index}",
        "gridData": place,
        "embeddableConfig": {"enhancements": {}},
    }
