"""Data views: which streams are looked at together."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.kibana.links import LOGS_VIEW
from dashboards.kibana.saved import SavedObject


@dataclass(frozen=True, slots=True)
class View:
    """``indexes`` is a pattern of Elasticsearch's."""

    id: str
    name: str
    indexes: str

    def saved(self) -> SavedObject:
        """Return Kibana's object."""
        attributes = {"title": self.indexes, "name": self.name, "timeFieldName": "@timestamp"}
        return SavedObject("index-pattern", self.id, attributes)


LOGS = View(LOGS_VIEW, "tidegate: everything", "logs-tidegate.*-default")
REQUESTS = View("tidegate-requests", "tidegate: requests", "logs-tidegate.requests-default")
RUNS = View("tidegate-runs", "tidegate: runs", "logs-tidegate.runs-default")
VIEWS = (LOGS, REQUESTS, RUNS)
