"""Prometheus and promtool."""

from __future__ import annotations

from pathlib import Path

from stack.install.golang import GoProgram, build_programs
from stack.native.launch import Launch
from stack.native.site import Site
from stack.render import render_into

VERSION = "3.16.0"
PORTS = {"prometheus": 9090}
TEMPLATE = "prometheus/prometheus.yml"
FLAGS = (
    "--web.enable-otlp-receiver",
    "--web.enable-lifecycle",  # POST /-/reload takes up new rules
    "--enable-feature=exemplar-storage",
    "--storage.tsdb.retention.time=30d",
)
_MODULE = "github.com/prometheus/prometheus"
_MODULE_VERSION = "v0.316.0"  # Prometheus 3.16.0, as Go's module versions count it


def install() -> Path:
    """Return the folder that holds ``prometheus`` and ``promtool``, built at the first call."""
    return build_programs("prometheus", VERSION, tuple(map(_program, ("prometheus", "promtool"))))


def launch(site: Site) -> Launch:
    """Write Prometheus' configuration and return how it is started."""
    config = render_into(site.config("prometheus"), TEMPLATE, values(site))
    return Launch(
        name="prometheus",
        command=(
            str(install() / "prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={site.data('prometheus')}",
            f"--web.listen-address={site.address('prometheus')}",
            *FLAGS,
        ),
        health=f"{site.url('prometheus')}/-/ready",
        log=site.log("prometheus"),
    )


def values(site: Site) -> dict[str, object]:
    """Return what the template leaves open."""
    return {
        "rules": site.rules,
        "scrape": site.scrape,
        "prometheus": site.address("prometheus"),
        "alertmanager": site.address("alertmanager"),
        "node_exporter": site.address("node_exporter"),
        "collector_metrics": site.address("collector.metrics"),
    }


def _program(name: str) -> GoProgram:
    return GoProgram(
        f"{_MODULE}/cmd/{name}@{_MODULE_VERSION}",
        tags=("netgo", "remove_all_sd"),  # static, file and HTTP discovery remain
        variables=(("github.com/prometheus/common/version.Version", VERSION),),
    )
