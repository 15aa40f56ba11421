"""Jaeger v2: OTLP in, traces out by its HTTP API."""

from __future__ import annotations

from pathlib import Path

from stack.install.golang import GoProgram, build_programs
from stack.native.launch import Launch
from stack.native.site import Site
from stack.render import config_flags

VERSION = "2.13.0"
PORTS = {
    "jaeger": 16686,
    "jaeger.query_grpc": 16685,
    "jaeger.otlp_grpc": 14317,
    "jaeger.otlp_http": 14318,
    "jaeger.health": 13134,
}


def install() -> Path:
    """Return the folder that holds ``jaeger``, built at the first call (module version v1.76.0)."""
    program = GoProgram("github.com/jaegertracing/jaeger/cmd/jaeger", "jaeger")
    return build_programs("jaeger", VERSION, (program,))


def launch(site: Site) -> Launch:
    """Write Jaeger's configuration and return how it is started.

    Traces are stored in Elasticsearch where that is part of the stack, else in memory until it ends.
    """
    return Launch(
        name="jaeger",
        command=(str(install() / "jaeger"), *config_flags(site.config("jaeger"), layers(site), values(site))),
        health=f"{site.url('jaeger.health')}/status",
        log=site.log("jaeger"),
        environment={"OTEL_TRACES_SAMPLER": "always_off"},  # else it traces its own queries into the store
    )


def layers(site: Site) -> list[str]:
    """Return the templates that make up the configuration; a later one is laid over those before it."""
    store = "elasticsearch" if "elasticsearch" in site.runs else "memory"
    return ["jaeger/jaeger.yaml", f"jaeger/storage-{store}.yaml"]


def values(site: Site) -> dict[str, object]:
    """Return what the templates leave open."""
    return {
        "bind": site.bind,
        "query_port": site.ports["jaeger"],
        "query_grpc_port": site.ports["jaeger.query_grpc"],
        "otlp_grpc_port": site.ports["jaeger.otlp_grpc"],
        "otlp_http_port": site.ports["jaeger.otlp_http"],
        "health_port": site.ports["jaeger.health"],
        "elasticsearch": site.url("elasticsearch"),
    }
