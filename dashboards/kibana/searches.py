"""Saved searches. A search is written once and becomes Kibana's object and Elasticsearch's query."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from dashboards.kibana.saved import SavedObject
from dashboards.kibana.views import LOGS, REQUESTS, View

_SOURCE_INDEX = "kibanaSavedObjectMeta.searchSourceJSON.index"


@dataclass(frozen=True, slots=True)
class Condition:
    """``value`` None: the field is there."""

    field: str
    value: str | None = None
    negated: bool = False

    def to_kuery(self) -> str:
        """Return it in Kibana's language."""
        wanted = "*" if self.value is None else f'"{self.value}"'
        return f"{'not ' if self.negated else ''}{self.field}: {wanted}"

    def to_query(self) -> dict[str, Any]:
        """Return it as Elasticsearch's query."""
        if self.value is None:
            return {"exists": {"field": self.field}}
        return {"term": {self.field: self.value}}


@dataclass(frozen=True, slots=True)
class Search:
    """``columns`` are shown; ``sort`` is (field, direction)."""

    id: str
    title: str
    description: str
    view: View
    conditions: tuple[Condition, ...]
    columns: tuple[str, ...]
    sort: tuple[str, Literal["asc", "desc"]]

    def saved(self) -> SavedObject:
        """Return Kibana's object."""
        kuery = " and ".join(condition.to_kuery() for condition in self.conditions)
        attributes = {
            "title": self.title,
            "description": self.description,
            "columns": list(self.columns),
            "sort": [list(self.sort)],
            "kibanaSavedObjectMeta": {"searchSourceJSON": source_json(kuery)},
        }
        return SavedObject("search", self.id, attributes, ((_SOURCE_INDEX, "index-pattern", self.view.id),))

    def to_request(self) -> dict[str, Any]:
        """Return the request to Elasticsearch that finds the same."""
        sides: dict[str, list[dict[str, Any]]] = {"filter": [], "must_not": []}
        for condition in self.conditions:
            sides["must_not" if condition.negated else "filter"].append(condition.to_query())
        return {"query": {"bool": sides}, "sort": [{self.sort[0]: self.sort[1]}]}


def source_json(kuery: str) -> str:
    """Return the text that Kibana keeps a query in."""
    query = {"query": {"language": "kuery", "query": kuery}, "filter": [], "indexRefName": _SOURCE_INDEX}
    return json.dumps(query)


_REQUEST_COLUMNS = (
    "labels.run_id",
    "labels.stage",
    "tidegate.outcome",
    "tidegate.ttft_ms",
    "tidegate.e2e_ms",
)

ERRORS = Search(
    "tidegate-errors",
    "tidegate: errors",
    "Requests that ended in neither an answer nor a refusal in order, as client and server saw them.",
    LOGS,
    (
        Condition("event.outcome", "failure"),
        Condition("tidegate.outcome"),  # a run that fails has none
        Condition("tidegate.outcome", "rejected", negated=True),
    ),
    (
        *("service.name", "labels.run_id", "labels.stage", "tidegate.outcome", "http.response.status_code"),
        *("error.type", "message", "trace.id"),
    ),
    ("@timestamp", "desc"),
)
SLOWEST = Search(
    "tidegate-slowest",
    "tidegate: slowest requests",
    "Answered requests, the longest first, from when they were due.",
    REQUESTS,
    (Condition("tidegate.outcome", "ok"),),
    (*_REQUEST_COLUMNS, "tidegate.schedule_delay_ms", "gen_ai.usage.output_tokens", "trace.id"),
    ("tidegate.e2e_ms", "desc"),
)
ONE_TRACE = Search(
    "tidegate-trace",
    "tidegate: one trace",
    "All that both sides wrote of one request, in order. Give its trace.id in the query.",
    LOGS,
    (Condition("trace.id"),),
    ("service.name", "trace.id", "message", "labels.stage", "tidegate.outcome", "event.duration"),
    ("@timestamp", "asc"),
)
SEARCHES = (ERRORS, SLOWEST, ONE_TRACE)
