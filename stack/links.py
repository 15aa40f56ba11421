"""The URLs that a person opens."""

from __future__ import annotations

from dataclasses import dataclass

from stack.endpoints import Endpoints, without_credentials


@dataclass(frozen=True, slots=True)
class Link:
    """One page, and what is seen there."""

    name: str
    url: str
    what: str


_PAGES = (
    ("Grafana", "grafana", "/dashboards", "the dashboards"),
    ("Kibana", "kibana", "/app/discover", "requests, runs and logs"),
    ("Jaeger", "jaeger", "/search", "traces; /api/traces/TRACE_ID answers with one"),
    ("Prometheus", "prometheus", "/query", "metrics; /api/v1/query?query=up answers with JSON"),
    ("Alertmanager", "alertmanager", "/#/alerts", "what is alerting"),
    ("Elasticsearch", "elasticsearch", "/_cat/indices?v", "what is stored"),
)


def links_of(endpoints: Endpoints) -> list[Link]:
    """Return the pages of the components that run."""
    return [
        Link(name, f"{without_credentials(base)}{path}", what)
        for name, endpoint, path, what in _PAGES
        if (base := getattr(endpoints, endpoint)) is not None
    ]
