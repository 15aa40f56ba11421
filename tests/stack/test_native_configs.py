"""Each rendered configuration is accepted by the component that reads it."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stack import compose_site
from stack.components import alertmanager, collector, jaeger, prometheus
from stack.components.table import COMPONENTS
from stack.errors import NotObtainableError
from stack.native.plan import plan_site
from stack.native.site import Site
from stack.render import config_flags, render_into
from tests.stack.conftest import skip


@pytest.fixture
def native(tmp_path: Path) -> Site:
    return plan_site(tmp_path, COMPONENTS)


def installed(install: Callable[[], Path]) -> Path:
    try:
        return install()
    except NotObtainableError as error:
        skip(str(error))


def accepts(*command: object) -> bool:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, check=False
    )
    print(done.stdout, done.stderr)
    return done.returncode == 0


@pytest.mark.parametrize("tail_sampling", [False, True])
def test_the_collector_accepts_the_native_configuration(native: Site, tail_sampling: bool):
    site = replace(native, tail_sampling=tail_sampling)
    flags = config_flags(site.config("collector"), collector.layers(site), collector.values(site))

    assert len(flags) == (2 if tail_sampling else 1)
    assert accepts(installed(collector.install) / "otelcol", "validate", *flags)


def test_the_collector_accepts_the_configuration_for_compose():
    file = compose_site.COMMITTED / "collector" / "collector.yaml"
    assert accepts(installed(collector.install) / "otelcol", "validate", f"--config=file:{file}")


def test_the_collector_refuses_a_configuration_with_a_part_that_it_lacks(native: Site, tmp_path: Path):
    file = render_into(tmp_path, "collector/collector.yaml", collector.values(native))
    file.write_text(file.read_text().replace("memory_limiter", "no_such_limiter"))
    assert not accepts(installed(collector.install) / "otelcol", "validate", f"--config=file:{file}")


@pytest.mark.parametrize("runs", [frozenset(), frozenset({"elasticsearch"})])
def test_jaeger_accepts_both_stores(native: Site, runs: frozenset[str]):
    site = replace(native, runs=runs)
    flags = config_flags(site.config("jaeger"), jaeger.layers(site), jaeger.values(site))

    assert flags[1].endswith("storage-elasticsearch.yaml" if runs else "storage-memory.yaml")
    assert accepts(installed(jaeger.install) / "jaeger", "validate", *flags)


def test_prometheus_accepts_its_configuration_and_the_rules_that_it_names(native: Site):
    config = render_into(native.config("prometheus"), prometheus.TEMPLATE, prometheus.values(native))
    promtool = installed(prometheus.install) / "promtool"

    assert accepts(promtool, "check", "config", "--lint=all", config)
    for rules in native.rules.glob("*.yaml"):
        assert accepts(promtool, "check", "rules", rules)


def test_prometheus_accepts_the_configuration_for_compose():
    config = compose_site.COMMITTED / "prometheus" / "prometheus.yml"
    promtool = installed(prometheus.install) / "promtool"
    # The rules are mounted there; here only the syntax can be held to.
    assert accepts(promtool, "check", "config", "--syntax-only", config)


@pytest.mark.parametrize("webhook", [None, "http://127.0.0.1:9999/alerts"])
def test_alertmanager_accepts_its_configuration(native: Site, webhook: str | None):
    site = replace(native, alert_webhook=webhook)
    config = render_into(site.config("alertmanager"), alertmanager.TEMPLATE, alertmanager.values(site))
    program = installed(alertmanager.install) / "amtool"

    assert accepts(program, "check-config", config)
