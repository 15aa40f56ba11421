"""The native stack and the compose stack are configured from one source and cannot drift apart."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack import compose_site
from stack.components import alertmanager, collector, jaeger, prometheus
from stack.components.table import COMPONENTS
from stack.native.plan import plan_site
from stack.native.site import Site
from stack.render import render

STACK = Path(compose_site.__file__).parent
COMPOSE = yaml.safe_load((STACK / "compose.yaml").read_text())["services"]
VERSIONS = dict(
    line.split("=") for line in (STACK / ".env").read_text().splitlines() if not line.startswith("#")
)
TEMPLATES = {
    "collector/collector.yaml": collector,
    "jaeger/jaeger.yaml": jaeger,
    "jaeger/storage-elasticsearch.yaml": jaeger,
    "prometheus/prometheus.yml": prometheus,
    "alertmanager/alertmanager.yml": alertmanager,
}


@pytest.fixture
def native(tmp_path: Path) -> Site:
    return plan_site(tmp_path, COMPONENTS)


def leaves(document: Any, path: str = "") -> dict[str, Any]:
    if isinstance(document, dict):
        return {
            at: leaf for key, each in document.items() for at, leaf in leaves(each, f"{path}.{key}").items()
        }
    if isinstance(document, list):
        return {
            at: leaf
            for index, each in enumerate(document)
            for at, leaf in leaves(each, f"{path}[{index}]").items()
        }
    return {path: document}


def test_what_is_committed_for_compose_is_what_the_templates_render():
    rendered = compose_site.rendered()
    committed = {
        str(file.relative_to(compose_site.COMMITTED)): file.read_text()
        for file in compose_site.COMMITTED.rglob("*")
        if file.is_file()
    }

    assert committed == rendered, "tidegate stack render"


@pytest.mark.parametrize("template", TEMPLATES)
def test_only_hosts_ports_and_folders_differ_between_native_and_compose(template: str, native: Site):
    values = TEMPLATES[template].values
    here = leaves(yaml.safe_load(render(template, values(native))))
    there = leaves(yaml.safe_load(render(template, values(compose_site.compose_site()))))

    assert here.keys() == there.keys()
    assert {at: as_native(leaf, native) for at, leaf in there.items()} == here


def as_native(leaf: Any, native: Site) -> Any:
    """Put this machine's address where compose has a service's name, and our folders where it has mounts."""
    if not isinstance(leaf, str):
        return leaf
    for mounted, folder in (("/etc/tidegate/rules", native.rules), ("/etc/tidegate/scrape", native.scrape)):
        leaf = leaf.replace(mounted, str(folder))
    for host in ("0.0.0.0", *set(compose_site.compose_site().hosts.values())):
        leaf = leaf.replace(f"{host}:", "127.0.0.1:")
    return "127.0.0.1" if leaf == "0.0.0.0" else leaf


@pytest.mark.parametrize(
    ("service", "flags"), [("prometheus", prometheus.FLAGS), ("alertmanager", alertmanager.FLAGS)]
)
def test_compose_starts_it_with_the_flags_of_the_native_stack(service: str, flags: tuple[str, ...]):
    own = ("--config.file=", "--storage.path=", "--storage.tsdb.path=")  # where its image keeps things
    given = [flag for flag in COMPOSE[service]["command"] if not flag.startswith(own)]

    assert given == list(flags)


@pytest.mark.parametrize(("service", "component"), [("collector", collector), ("jaeger", jaeger)])
def test_compose_lays_the_same_files_over_each_other(service: str, component: Any, native: Site):
    layers = [f"--config=file:/etc/tidegate/{Path(layer).name}" for layer in component.layers(native)]
    given = [flag for flag in COMPOSE[service]["command"] if "storage-password" not in flag]

    assert given == layers


def test_both_stacks_run_the_same_versions():
    native = {one.name: one.version for one in COMPONENTS if one.usual}

    assert native == {
        "elasticsearch": VERSIONS["ELASTIC_VERSION"],
        "prometheus": VERSIONS["PROMETHEUS_VERSION"],
        "collector": VERSIONS["COLLECTOR_VERSION"],
        "alertmanager": VERSIONS["ALERTMANAGER_VERSION"],
        "node_exporter": VERSIONS["NODE_EXPORTER_VERSION"],
        "jaeger": VERSIONS["JAEGER_VERSION"],
    }


def test_compose_publishes_the_usual_ports():
    published = {port.split(":")[1] for service in COMPOSE.values() for port in service.get("ports", ())}
    usual = {
        str(port) for one in COMPONENTS if one.usual for name, port in one.ports.items() if "." not in name
    }

    assert usual <= published


def test_whom_prometheus_watches_in_compose_are_services_of_it():
    for name in ("target-compose.json", "gpu-compose.json"):
        for group in json.loads((compose_site.COMMITTED / "scrape" / name).read_text()):
            assert {address.split(":")[0] for address in group["targets"]} <= set(COMPOSE)


def test_a_difference_would_be_seen(native: Site):
    """The comparison above notices what is not a host: here another scrape interval."""
    rendered = render(prometheus.TEMPLATE, prometheus.values(native))
    other = leaves(yaml.safe_load(rendered.replace("scrape_interval: 1s", "scrape_interval: 2s")))

    assert leaves(yaml.safe_load(rendered)) != {at: as_native(leaf, native) for at, leaf in other.items()}
