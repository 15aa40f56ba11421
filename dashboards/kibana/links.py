"""Addresses that open Kibana's Discover at one trace or one run."""

from __future__ import annotations

from urllib.parse import quote

LOGS_VIEW = "tidegate-logs"
"""The data view over every stream that we write."""

_APPLICATION = "/app/discover#/"


def discover_trace(kibana: str, trace_id: str) -> str:
    """Return where Discover shows each line and document of one trace, oldest first."""
    return _discover(kibana, f'trace.id:"{trace_id}"', "from:now-30d,to:now")


def discover_run(kibana: str, run_id: str, start: str = "now-30d", end: str = "now") -> str:
    """Return where Discover shows all of one run; instants as Kibana reads them (ISO 8601, now-1h)."""
    return _discover(kibana, f'labels.run_id:"{run_id}"', f"from:{_instant(start)},to:{_instant(end)}")


def _discover(kibana: str, query: str, time: str) -> str:
    """Write the state as rison, Kibana's notation, in which an exclamation mark escapes."""
    text = quote(query.replace("!", "!!").replace("'", "!'"), safe=":")
    view = f"dataSource:(dataViewId:{LOGS_VIEW},type:dataView)"
    state = f"({view},query:(language:kuery,query:'{text}'),sort:!(!('@timestamp',asc)))"
    return f"{kibana.rstrip('/')}{_APPLICATION}?_g=(time:({time}))&_a={state}"


def _instant(text: str) -> str:
    return text if text.startswith("now") else f"'{text}'"


_PLACES = {"KIBANA": "${kibana}", "RUN": "${run}", "START": "${__from:date:iso}", "END": "${__to:date:iso}"}


def _in_grafana() -> str:
    """Leave the places to Grafana's variables, which are no part of what is escaped."""
    url = discover_run("KIBANA", "RUN", "START", "END")
    for place, variable in _PLACES.items():
        url = url.replace(place, variable)
    return url


DISCOVER_RUN_IN_GRAFANA = _in_grafana()
