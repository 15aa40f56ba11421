"""``tidegate stack`` as a person runs it, with the components that start within a second."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stack.components import alertmanager, node_exporter
from stack.endpoints import Endpoints, read_endpoints
from stack.errors import NotObtainableError
from stack.links import links_of
from stack.native.process import start_ticks
from stack.scrape import announce, withdraw
from tests.stack.conftest import skip

TIDEGATE = Path(sys.executable).parent / "tidegate"
UP = ("up", "--native", "--free-ports", "--only", "node_exporter", "--only", "alertmanager")


def stack(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TIDEGATE, "stack", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def recorded(folder: Path) -> dict:
    return json.loads((folder / ".tidegate" / "stack.json").read_text())


def pids(folder: Path) -> dict[str, int]:
    return {running["name"]: running["pid"] for running in recorded(folder)["components"]}


@pytest.fixture
def running(tmp_path: Path):
    """A folder in which node_exporter and Alertmanager run."""
    try:
        node_exporter.install()
        alertmanager.install()
    except NotObtainableError as error:
        skip(str(error))
    started = stack(tmp_path, *UP)
    assert started.returncode == 0, started.stderr
    yield tmp_path
    stack(tmp_path, "down", "--native")


def test_up_writes_where_the_components_are_and_prints_what_a_person_opens(running: Path):
    endpoints = read_endpoints(running / ".tidegate")

    assert endpoints is not None
    assert endpoints.prometheus is None
    assert endpoints.alertmanager is not None
    assert stack(running, "links").stdout.split()[:2] == [
        "Alertmanager",
        f"{endpoints.alertmanager}/#/alerts",
    ]


def test_status_shows_version_pid_memory_and_state(running: Path):
    lines = {line.split()[0]: line.split() for line in stack(running, "status").stdout.splitlines()}

    assert lines["node_exporter"][1] == "1.11.1"
    assert lines["node_exporter"][3] == str(pids(running)["node_exporter"])
    assert 5 <= int(lines["node_exporter"][4]) <= 200  # MiB
    assert lines["node_exporter"][-1] == lines["alertmanager"][-1] == "healthy"


def test_a_second_up_changes_nothing(running: Path):
    before = recorded(running)

    again = stack(running, *UP)

    assert again.returncode == 0
    assert recorded(running) == before


def test_up_starts_what_ended_at_the_same_port(running: Path):
    before, started = recorded(running), pids(running)
    os.kill(started["node_exporter"], signal.SIGKILL)
    while start_ticks(started["node_exporter"]) is not None:
        time.sleep(0.02)
    assert "ended" in stack(running, "status").stdout

    assert stack(running, *UP).returncode == 0

    assert pids(running)["alertmanager"] == started["alertmanager"]
    assert pids(running)["node_exporter"] != started["node_exporter"]
    assert recorded(running)["endpoints"] == before["endpoints"]
    assert stack(running, "status").stdout.count(" healthy") == 2


def test_down_ends_just_what_was_started_and_a_second_down_is_fine(running: Path):
    started = pids(running)

    assert stack(running, "down", "--native").returncode == 0

    assert [name for name, pid in started.items() if start_ticks(pid) is not None] == []
    assert read_endpoints(running / ".tidegate") is None
    assert (running / ".tidegate" / "logs" / "alertmanager.log").exists()
    assert stack(running, "down", "--native").returncode == 0
    assert stack(running, "status").stdout == "nothing runs here: tidegate stack up\n"


def test_a_port_in_use_is_told_with_the_remedy(running: Path, tmp_path_factory: pytest.TempPathFactory):
    other = tmp_path_factory.mktemp("other")
    site = recorded(running)["ports"]
    program = (
        "import sys; from pathlib import Path; from stack.native.plan import plan_site\n"
        "from stack.components.table import named; from stack.native.supervisor import up\n"
        "from stack.native.site import Site; import dataclasses\n"
        f"one = named(['node_exporter']); site = plan_site(Path('.tidegate'), one)\n"
        f"up(dataclasses.replace(site, ports={site!r}), one, print)\n"
    )
    refused = subprocess.run(
        [sys.executable, "-c", program], cwd=other, capture_output=True, text=True, check=False
    )

    assert f"ports in use by others: node_exporter ({site['node_exporter']}); --free-ports" in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("up", "--native", "--only", "graphite"),
            "no component is called graphite; there are: elasticsearch, ",
        ),
        (("links",), "nothing runs here: tidegate stack up"),
        (("provision",), "nothing runs here: tidegate stack up"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(tmp_path: Path, words: tuple[str, ...], said: str):
    refused = stack(tmp_path, *words)

    assert refused.returncode == 5
    assert refused.stderr.startswith(said)
    assert "Traceback" not in refused.stderr


def test_without_go_the_sentence_says_what_is_missing(tmp_path: Path):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TIDEGATE_CACHE": str(tmp_path / "cache")}
    refused = subprocess.run(
        [TIDEGATE, "stack", "install", "--only", "node_exporter"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert refused.returncode == 5
    assert "node_exporter 1.11.1: go is not on PATH; install Go" in refused.stderr


def test_nothing_was_started_means_no_endpoints(tmp_path: Path):
    assert read_endpoints(tmp_path) is None


def test_only_what_runs_is_linked():
    links = links_of(Endpoints(grafana="http://127.0.0.1:3000", otlp_grpc="http://127.0.0.1:4317"))

    assert [(link.name, link.url) for link in links] == [("Grafana", "http://127.0.0.1:3000/dashboards")]


def test_whom_to_scrape_is_announced_in_prometheus_own_format_and_withdrawn(tmp_path: Path):
    file = announce("generator", "run-1", ["127.0.0.1:9500", "127.0.0.1:9501"], {"run": "1"}, tmp_path)

    assert file == tmp_path / "scrape" / "generator-run-1.json"
    assert json.loads(file.read_text()) == [
        {"targets": ["127.0.0.1:9500", "127.0.0.1:9501"], "labels": {"run": "1"}}
    ]
    withdraw("generator", "run-1", tmp_path)
    assert not file.exists()
