"""From the P99 on a panel to the trace, and from the trace to the log lines."""

import json
import urllib.request
from typing import Any

import pytest

from dashboards import expressions
from dashboards.kibana.views import LOGS
from dashboards.prometheus import Exemplar
from dashboards.promql import substitute
from harness.measure.records import read_records
from tests.stack.watched import WatchedRuns

PHASES = {"queue", "prefill", "decode"}


def exemplars_of(watched: WatchedRuns, board: str, title: str) -> list[Exemplar]:
    (panel,) = (p for p in expressions.panels(expressions.boards()[board]) if p["title"] == title)
    (target,) = (t for t in panel["targets"] if t.get("exemplar"))
    return watched.prometheus.exemplars(substitute(target["expr"]), watched.start, watched.end)


@pytest.mark.timeout(400)
def test_an_exemplar_of_the_p99_panel_is_a_request_with_that_latency(watched_runs: WatchedRuns):
    found = exemplars_of(watched_runs, "tidegate-run", "Time to first token")
    assert len(found) > 20
    ttft: dict[str, float] = {}
    for folder in watched_runs.folders:
        records = read_records(folder)
        ttft |= zip(records.trace_id.to_pylist(), records.ttft_seconds.tolist(), strict=True)
    for exemplar in found:
        assert exemplar.value == pytest.approx(ttft[exemplar.labels["trace_id"]], abs=1e-6)


@pytest.mark.timeout(400)
def test_the_slowest_exemplar_leads_to_both_sides_spans_and_to_every_document_of_the_request(
    watched_runs: WatchedRuns,
):
    slowest = max(exemplars_of(watched_runs, "tidegate-run", "Time to first token"), key=lambda e: e.value)
    trace_id = slowest.labels["trace_id"]

    spans = spans_in_jaeger(watched_runs, trace_id)
    (client,) = (span for span in spans if span["service"] == "tidegate")
    (server,) = (span for span in spans if parent_of(span) == client["spanID"])
    assert server["service"] == "tidegate-target"
    assert {s["operationName"] for s in spans if parent_of(s) == server["spanID"]} == PHASES

    documents = documents_in_elasticsearch(watched_runs, trace_id)
    assert [each["_source"]["tidegate.outcome"] for each in documents["requests"]] == ["ok"]
    assert [each["_source"]["service.name"] for each in documents["target"]] == ["tidegate-target"]


def spans_in_jaeger(watched: WatchedRuns, trace_id: str) -> list[dict[str, Any]]:
    """Return the trace's spans, each with the name of its service."""
    with urllib.request.urlopen(f"{watched.endpoints.jaeger}/api/traces/{trace_id}", timeout=10) as answer:
        (trace,) = json.loads(answer.read())["data"]
    services = {key: process["serviceName"] for key, process in trace["processes"].items()}
    return [{**span, "service": services[span["processID"]]} for span in trace["spans"]]


def parent_of(span: dict[str, Any]) -> str | None:
    return next((reference["spanID"] for reference in span["references"]), None)


def documents_in_elasticsearch(watched: WatchedRuns, trace_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return the documents that carry the trace's id, by what their stream holds (``requests``)."""
    request = urllib.request.Request(
        f"{watched.endpoints.elasticsearch}/{LOGS.indexes}/_search",
        data=json.dumps({"query": {"term": {"trace.id": trace_id}}}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        hits = json.loads(answer.read())["hits"]["hits"]
    found: dict[str, list[dict[str, Any]]] = {}
    for hit in hits:
        found.setdefault(hit["_index"].split("tidegate.")[1].split("-")[0], []).append(hit)
    return found
