"""Ask the store for runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import ApiError, Elasticsearch, NotFoundError

from harness.errors import UsageError
from harness.telemetry.store import StoreUnreachableError
from observability.elastic.client import FAILURES, explain
from observability.elastic.streams import Stream

_INFINITE = "+Inf"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run's document."""

    fields: Mapping[str, Any]

    @property
    def run_id(self) -> str:
        """The run's id."""
        return str(self.fields["labels.run_id"])

    def number(self, name: str) -> float:
        """Return a number; nan where the run has none."""
        value = self.fields.get(name)
        return math.nan if value is None else float(value)

    def quantile_seconds(self, latency: str, quantile: str) -> float:
        """Return a latency of the whole run: +inf where failures reach it, nan where there is none."""
        stages: Sequence[Mapping[str, Any]] = self.fields.get("tidegate.stages") or ({},)
        told = stages[0].get("latencies_seconds", {}).get(latency, {}).get(quantile)
        if told is None:
            return math.nan
        return math.inf if told == _INFINITE else float(told)


def find_runs(client: Elasticsearch, query: str | None, limit: int) -> list[StoredRun]:
    """Return the newest runs that match (Elasticsearch's query_string; None: all).

    Raise UsageError for a query that cannot be read, StoreUnreachableError when nothing answers.
    """
    wanted = {"match_all": {}} if query is None else {"query_string": {"query": query}}
    return _search(client, wanted, limit)


def get_runs(client: Elasticsearch, run_ids: Sequence[str]) -> list[StoredRun]:
    """Return these runs, in this order. Raise UsageError for one that the store does not know."""
    found = {run.run_id: run for run in _search(client, {"terms": {"labels.run_id": list(run_ids)}}, 100)}
    unknown = [run_id for run_id in run_ids if run_id not in found]
    if unknown:
        raise UsageError(f"no run {unknown[0]!r} in this Elasticsearch; `tidegate runs` lists those it has")
    return [found[run_id] for run_id in run_ids]


def _search(client: Elasticsearch, query: Mapping[str, Any], limit: int) -> list[StoredRun]:
    newest_first = [{"@timestamp": {"order": "desc"}}]
    try:
        client.indices.refresh(index=Stream.RUNS)
        found = client.search(index=Stream.RUNS, query=query, size=limit, sort=newest_first)
    except NotFoundError:  # no run was ever stored
        return []
    except ApiError as error:
        if error.status_code == 400:
            raise UsageError(f"--query: {_cause(error)}") from None
        raise StoreUnreachableError(explain(error)) from None
    except FAILURES as error:
        raise StoreUnreachableError(explain(error)) from None
    return [StoredRun(hit["_source"]) for hit in found["hits"]["hits"]]


def _cause(error: ApiError) -> str:
    """Return the innermost reason: the outer ones say that a search failed."""
    causes = error.body.get("error", {}).get("root_cause", ()) if isinstance(error.body, Mapping) else ()
    return str(causes[0].get("reason", error.message)) if causes else error.message
