"""The real components for tests: each session starts its own, on free ports, its data in a tmp folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

import pytest

from stack.components import elasticsearch as elasticsearch_component
from stack.components.table import named, usual
from stack.endpoints import Endpoints
from stack.errors import NotObtainableError
from stack.native.launch import Launch, start, wait_until_healthy
from stack.native.plan import plan_site
from stack.native.ports import free_ports
from stack.native.process import Process, kill, stop
from stack.native.site import JAVA_OPTIONS as USUAL_JAVA_OPTIONS
from stack.native.site import Site
from stack.native.supervisor import down, up
from tests.stack.watched import WatchedRuns, watch_two_runs

JAVA_OPTIONS = USUAL_JAVA_OPTIONS.replace("512m", "256m")


@dataclass(frozen=True, slots=True)
class NativeStack:
    """The whole stack. Alertmanager sends to 127.0.0.1 at ``webhook_port``: a test may listen there."""

    site: Site
    endpoints: Endpoints
    webhook_port: int


@pytest.fixture(scope="session")
def native_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeStack]:
    """Elasticsearch, Prometheus, Collector, Jaeger, Alertmanager, node_exporter, healthy, at free ports."""
    components = usual()
    site = plan_site(tmp_path_factory.mktemp("stack"), components, at_free_ports=True)
    webhook_port = free_ports(["webhook"])["webhook"]
    site = replace(site, alert_webhook=f"http://127.0.0.1:{webhook_port}/", java_options=JAVA_OPTIONS)
    try:
        state = up(site, components, print)
    except NotObtainableError as error:
        skip(str(error))
    try:
        yield NativeStack(site, state.endpoints, webhook_port)
    finally:
        down(site.folder, print)


@pytest.fixture(scope="session")
def watched_runs(native_stack: NativeStack, tmp_path_factory: pytest.TempPathFactory) -> WatchedRuns:
    """Two runs that the whole stack watched, finished: what dashboards, alerts and exemplars show."""
    folder = tmp_path_factory.mktemp("watched")
    return watch_two_runs(folder, native_stack.site.folder, native_stack.endpoints, native_stack.webhook_port)


class Server:
    """One real component that a test may stop, kill and start again: same data, same port."""

    def __init__(self, launch: Launch, url: str) -> None:
        self.url = url
        self._launch = launch
        self._process: Process | None = None

    def start(self) -> None:
        """Start it and wait until it is healthy; nothing happens when it runs."""
        if self._process is None or not self._process.is_alive():
            self._process = start(self._launch)
            wait_until_healthy(self._launch, self._process)

    def stop(self) -> None:
        """End it in order (SIGTERM)."""
        if self._process is not None:
            stop(self._process, self._launch.stop_seconds)

    def kill(self) -> None:
        """End it at once (SIGKILL), without a chance to write."""
        if self._process is not None:
            kill(self._process)


@pytest.fixture(scope="session")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Only Elasticsearch: an object with ``url``, ``stop()``, ``kill()`` and ``start()``."""
    folder = tmp_path_factory.mktemp("elasticsearch")
    site = replace(plan_site(folder, named(["elasticsearch"]), at_free_ports=True), java_options=JAVA_OPTIONS)
    try:
        server = Server(elasticsearch_component.launch(site), site.url("elasticsearch"))
    except NotObtainableError as error:
        skip(str(error))
    try:
        server.start()
        yield server
    finally:
        server.stop()


def skip(reason: str) -> NoReturn:
    """Skip for the reason; where the stack is required, fail with it."""
    if os.environ.get("TIDEGATE_REQUIRE_STACK") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
