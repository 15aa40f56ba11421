"""``tidegate stack``: install, start, look at and end the observability stack."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from stack import compose_site, engine
from stack import provision as provisioning
from stack.components.table import Component, named, usual
from stack.endpoints import FOLDER, Endpoints, read_endpoints
from stack.errors import NotObtainableError, StackError
from stack.links import links_of
from stack.native import supervisor
from stack.native.plan import plan_site
from stack.native.state import read_state
from stack.native.status import ComponentStatus, status_of
from stack.secrets import write_secrets

app = typer.Typer(
    name="stack",
    help="Elasticsearch, Prometheus, OpenTelemetry, Jaeger, Alertmanager: the real ones, on this machine.",
    no_args_is_help=True,
)
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)

Only = Annotated[list[str] | None, typer.Option(help="A component by name, instead of the usual ones.")]
Redis = Annotated[bool, typer.Option("--redis", help="Redis too.")]
Native = Annotated[
    bool | None,
    typer.Option("--native/--compose", help="Ordinary processes, or containers (where Docker answers)."),
]


@app.command()
def up(
    native: Native = None,
    only: Only = None,
    redis: Redis = False,
    at_free_ports: Annotated[bool, typer.Option("--free-ports", help="Not the usual ports.")] = False,
    tail_sampling: Annotated[
        bool, typer.Option("--tail-sampling", help="Keep the failed, the slow and a tenth of the traces.")
    ] = False,
    alert_webhook: Annotated[str | None, typer.Option(help="URL that alerts are sent to.")] = None,
) -> None:
    """Start what does not run yet, wait until it is healthy, and say where it is."""
    if not _is_native(native):
        engine.up(FOLDER, _err.print)
        provision()
    else:
        components = _chosen(only, redis)
        site = plan_site(FOLDER, components, at_free_ports)
        site = replace(site, alert_webhook=alert_webhook, tail_sampling=tail_sampling)
        with _installs_told():
            supervisor.up(site, components, _err.print)
    links()


@app.command()
def down(native: Native = None) -> None:
    """End what was started here. Data and logs stay."""
    if read_state(FOLDER).components or _is_native(native):
        supervisor.down(FOLDER, _err.print)
    else:
        engine.down(FOLDER, _err.print)


@app.command()
def status() -> None:
    """Show what was started here, and how it is."""
    rows = status_of(read_state(FOLDER))
    if not rows:
        _out.print("nothing runs here: tidegate stack up")
        return
    table = Table("component", "version", "URL", "pid", "memory", "state", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*_cells(row))
    _out.print(table)


@app.command()
def provision() -> None:
    """Put index templates, dashboards and saved searches into what runs; a second time changes nothing."""
    provisioning.provision(_endpoints(), FOLDER, _out.print)


@app.command()
def links() -> None:
    """Print the URLs that a person opens."""
    for link in links_of(_endpoints()):
        _out.print(f"{link.name:14} {link.url:34} {link.what}")


@app.command()
def install(only: Only = None, redis: Redis = False) -> None:
    """Fetch and build what the native stack needs into the user's cache; once, as builds take minutes."""
    missing = []
    with _installs_told():
        for component in _chosen(only, redis):
            try:
                component.install()
            except NotObtainableError as error:
                missing.append(f"{component.name} {component.version}: {error}")
    if missing:
        raise NotObtainableError("\n".join(missing))


@app.command("render")
def render_compose() -> None:
    """Write the compose stack's configurations from the templates that both stacks share."""
    for file in compose_site.write():
        _out.print(str(file))


@app.command()
def secrets() -> None:
    """Generate the compose stack's passwords, once, and say which file holds them."""
    _out.print(str(write_secrets(FOLDER)))


def _endpoints() -> Endpoints:
    endpoints = read_endpoints(FOLDER)
    if endpoints is None:
        raise StackError("nothing runs here: tidegate stack up")
    return endpoints


def _is_native(told: bool | None) -> bool:
    return not engine.answers() if told is None else told


def _chosen(only: list[str] | None, redis: bool) -> tuple[Component, ...]:
    return named(only) if only else usual(*(["redis"] if redis else []))


def _cells(row: ComponentStatus) -> tuple[str, ...]:
    memory = f"{row.resident_bytes / 2**20:.0f} MiB" if row.resident_bytes else "-"
    return row.name, row.version, row.url, str(row.pid), memory, row.state


@contextmanager
def _installs_told() -> Iterator[None]:
    """Print what the cache says while it fetches and builds: minutes in silence look like a hang."""
    handler = logging.StreamHandler()
    log = logging.getLogger("stack.install")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
