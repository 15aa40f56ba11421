"""The OpenTelemetry Collector, with the parts that the stack's configuration names and no others."""

from __future__ import annotations

from pathlib import Path

from stack.install.golang import GoProgram, build_programs
from stack.native.launch import Launch
from stack.native.site import Site
from stack.render import config_flags

VERSION = "0.159.0"
PORTS = {"otlp_grpc": 4317, "otlp_http": 4318, "collector.health": 13133, "collector.metrics": 8888}


def install() -> Path:
    """Return the folder that holds ``otelcol``, built at the first call."""
    program = GoProgram(".", "collector", ("grpcnotrace",), (("main.version", VERSION),))
    return build_programs("collector", VERSION, (program,))


def launch(site: Site) -> Launch:
    """Write the Collector's configuration and return how it is started."""
    return Launch(
        name="collector",
        command=(
            str(install() / "otelcol"),
            *config_flags(site.config("collector"), layers(site), values(site)),
        ),
        health=f"{site.url('collector.health')}/",
        log=site.log("collector"),
    )


def layers(site: Site) -> list[str]:
    """Return the templates that make up the configuration; a later one is laid over those before it."""
    return ["collector/collector.yaml", *(["collector/tail-sampling.yaml"] if site.tail_sampling else [])]


def values(site: Site) -> dict[str, object]:
    """Return what the templates leave open."""
    return {
        "bind": site.bind,
        "otlp_grpc_port": site.ports["otlp_grpc"],
        "otlp_http_port": site.ports["otlp_http"],
        "health_port": site.ports["collector.health"],
        "metrics_port": site.ports["collector.metrics"],
        "jaeger_otlp": site.address("jaeger.otlp_grpc"),
        "prometheus": site.url("prometheus"),
    }
