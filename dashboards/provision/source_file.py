"""The data sources as a file that Grafana reads at its start: the same as through the API."""

from __future__ import annotations

from typing import Any

import yaml

from dashboards.provision.sources import Places, data_sources

_PLACES = Places("${prometheus}", "${jaeger}", "${elasticsearch}", "${alertmanager}")
"""The stack fills these in."""
_HEAD = """\
# Grafana's data sources. Made by `tidegate dashboards generate`: change what makes it, not this file.
# A dollar sign for Grafana stands here four times: the stack's templates halve it, and so does Grafana.
"""


def source_yaml() -> str:
    """Return the template's text."""
    sources = [{**_escaped(source), "url": source["url"]} for source in data_sources(_PLACES)]
    document = {"apiVersion": 1, "prune": True, "datasources": sources}
    return _HEAD + yaml.safe_dump(document, sort_keys=False, width=1_000_000)


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return value.replace("$", "$$$$") if isinstance(value, str) else value
