"""Make the server ready: index templates, and retention where the server can do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from elasticsearch import AuthorizationException, Elasticsearch

from observability.elastic.mappings import mapping_of
from observability.elastic.streams import Stream

PRIORITY = 500
"""Above Elastic's own ``logs-*-*`` (100) and whatever a collector brings for ``logs-*``."""
RETENTION_DAYS = {Stream.REQUESTS: 30, Stream.GENERATOR: 30, Stream.TARGET: 30, Stream.RUNS: 365}
_LIFECYCLE_MODULE = "data-streams"


@dataclass(frozen=True, slots=True)
class Provisioned:
    """Which templates stand now, and what was left out, each with the reason, in a sentence."""

    templates: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def provision(client: Elasticsearch) -> Provisioned:
    """Put the templates of all streams; a second call changes nothing. Raise what the client raises."""
    can_expire = _LIFECYCLE_MODULE in modules_of(client)
    for stream in Stream:
        client.indices.put_index_template(name=_template_name(stream), **_template(stream, can_expire))
    names = tuple(_template_name(stream) for stream in Stream)
    return Provisioned(names, () if can_expire else (_no_retention(),))


def provision_if_allowed(client: Elasticsearch) -> Provisioned:
    """Do the same as a user who may only write documents: the templates were put by somebody else, then."""
    try:
        return provision(client)
    except AuthorizationException:
        return Provisioned((), ("templates: left as they are, this user may not write them",))


def modules_of(client: Elasticsearch) -> frozenset[str]:
    """Return the modules that every node of the server has."""
    nodes = client.nodes.info(metric="plugins", filter_path="nodes.*.modules.name")["nodes"].values()
    return frozenset.intersection(*(frozenset(m["name"] for m in node["modules"]) for node in nodes))


def _template_name(stream: Stream) -> str:
    return f"tidegate-{stream.dataset}"


def _template(stream: Stream, can_expire: bool) -> dict[str, Any]:
    template: dict[str, Any] = {
        "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1"}},
        "mappings": mapping_of(stream),
    }
    if can_expire:
        template["lifecycle"] = {"data_retention": f"{RETENTION_DAYS[stream]}d"}
    return {"index_patterns": [f"{stream}*"], "data_stream": {}, "priority": PRIORITY, "template": template}


def _no_retention() -> str:
    days = ", ".join(f"{stream.dataset} {days} days" for stream, days in RETENTION_DAYS.items())
    return f"retention ({days}): this server has no data stream lifecycle, so nothing is ever deleted"
