"""The data sources: fixed uids, so that dashboards, exemplars and links find them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboards.grafana.uids import ALERTMANAGER_UID, ELASTICSEARCH_UID, JAEGER_UID, PROMETHEUS_UID

LOGS_INDEX = "logs-tidegate.*-default"


@dataclass(frozen=True, slots=True)
class Places:
    """Base URLs as Grafana reaches them; None: the stack has no such component."""

    prometheus: str | None = None
    jaeger: str | None = None
    elasticsearch: str | None = None
    alertmanager: str | None = None


def data_sources(places: Places) -> list[dict[str, Any]]:
    """Return one definition for each component that there is, as the API and the files want it."""
    made = (
        (places.prometheus, _prometheus),
        (places.jaeger, _jaeger),
        (places.elasticsearch, _elasticsearch),
        (places.alertmanager, _alertmanager),
    )
    return [make(url) for url, make in made if url is not None]


def _source(uid: str, name: str, kind: str, url: str, settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "uid": uid,
        "name": name,
        "type": kind,
        "access": "proxy",
        "url": url,
        "isDefault": uid == PROMETHEUS_UID,
        "jsonData": settings,
    }


def _prometheus(url: str) -> dict[str, Any]:
    """Lead from exemplar to trace. ``timeInterval`` is the scrape's: $__rate_interval follows from it."""
    settings = {
        "httpMethod": "POST",
        "timeInterval": "5s",
        "prometheusType": "Prometheus",
        "exemplarTraceIdDestinations": [
            {"name": "trace_id", "datasourceUid": JAEGER_UID, "urlDisplayLabel": "The trace in Jaeger"}
        ],
    }
    return _source(PROMETHEUS_UID, "tidegate Prometheus", "prometheus", url, settings)


def _jaeger(url: str) -> dict[str, Any]:
    """Lead from a span to the log lines of its trace."""
    settings = {
        "nodeGraph": {"enabled": True},
        "tracesToLogsV2": {
            "datasourceUid": ELASTICSEARCH_UID,
            "filterByTraceID": False,
            "customQuery": True,
            "query": 'trace.id:"${__span.traceId}"',
            "spanStartTimeShift": "-1m",
            "spanEndTimeShift": "5m",
        },
    }
    return _source(JAEGER_UID, "tidegate Jaeger", "jaeger", url, settings)


def _elasticsearch(url: str) -> dict[str, Any]:
    settings = {
        "index": LOGS_INDEX,
        "timeField": "@timestamp",
        "logMessageField": "message",
        "logLevelField": "log.level",
        "dataLinks": [{"field": "trace.id", "url": "${__value.raw}", "datasourceUid": JAEGER_UID}],
    }
    return _source(ELASTICSEARCH_UID, "tidegate logs", "elasticsearch", url, settings)


def _alertmanager(url: str) -> dict[str, Any]:
    settings = {"implementation": "prometheus", "handleGrafanaManagedAlerts": False}
    return _source(ALERTMANAGER_UID, "tidegate Alertmanager", "alertmanager", url, settings)
