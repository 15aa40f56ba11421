"""The compose stack's configurations: the native stack's templates with other hosts and paths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import yaml

from stack.components import alertmanager, collector, jaeger, prometheus
from stack.components.table import COMPONENTS
from stack.native.site import Site
from stack.render import TEMPLATES, render

COMMITTED = Path(__file__).parent / "compose"
_MOUNTED = PurePosixPath("/etc/tidegate")
_SERVICE_OF = {"otlp_grpc": "collector", "otlp_http": "collector"}
_DATA_SOURCES = "grafana/provisioning/datasources/tidegate.yaml"
_WATCHED = {
    "target-compose.json": ["target:8000", "target-gpu:8000"],
    "gpu-compose.json": ["dcgm-exporter:9400"],
}


def compose_site() -> Site:
    """Return the site inside the compose network: usual ports, each at the host named after its service."""
    ports = {name: port for component in COMPONENTS for name, port in component.ports.items()}
    hosts = {name: _SERVICE_OF.get(name, name.partition(".")[0]) for name in ports}
    return Site(
        folder=Path(_MOUNTED),
        ports=ports,
        runs=frozenset(component.name for component in COMPONENTS),
        scrape=Path(_MOUNTED / "scrape"),
        rules=Path(_MOUNTED / "rules"),
        hosts=hosts,
        bind="0.0.0.0",
    )


def rendered() -> dict[str, str]:
    """Return the text of each file that is committed below ``stack/compose``, by its path there."""
    site = compose_site()
    texts = {name: render(name, values) for name, values in _templates(site)}
    texts[_DATA_SOURCES] = _as_reader(texts[_DATA_SOURCES])
    watched = {f"scrape/{name}": _announcement(hosts) for name, hosts in _WATCHED.items()}
    return texts | watched


def write() -> list[Path]:
    """Write what is committed, and return the files."""
    for name, text in rendered().items():
        (COMMITTED / name).parent.mkdir(parents=True, exist_ok=True)
        (COMMITTED / name).write_text(text)
    return [COMMITTED / name for name in rendered()]


def _templates(site: Site) -> Iterator[tuple[str, dict[str, object]]]:
    for component in (collector, jaeger):
        yield from ((layer, component.values(site)) for layer in component.layers(site))
    yield "jaeger/storage-password.yaml", {}
    yield prometheus.TEMPLATE, prometheus.values(site)
    yield alertmanager.TEMPLATE, alertmanager.values(site)
    for file in sorted((TEMPLATES / "grafana").rglob("*.yaml")):
        yield str(file.relative_to(TEMPLATES)), _grafana_values(site)


def _grafana_values(site: Site) -> dict[str, object]:
    urls = {name: site.url(name) for name in ("prometheus", "jaeger", "elasticsearch", "alertmanager")}
    return {**urls, "dashboards": _MOUNTED / "dashboards"}


def _as_reader(text: str) -> str:
    """Have Grafana read Elasticsearch as the user who may only read; it fills the password in itself."""
    document = yaml.safe_load(text)
    for source in document["datasources"]:
        if source["type"] == "elasticsearch":
            source |= {"basicAuth": True, "basicAuthUser": "tidegate_reader"}
            source["secureJsonData"] = {"basicAuthPassword": "$ELASTIC_READER_PASSWORD"}
    return "# Grafana's data sources, with the reader's password.\n" + yaml.safe_dump(
        document, sort_keys=False
    )


def _announcement(addresses: list[str]) -> str:
    return json.dumps([{"targets": addresses}]) + "\n"
