"""The compose stack, as far as it can be held to without an engine: read by docker compose's own parser."""

import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from stack import engine
from stack.endpoints import Endpoints, read_endpoints
from stack.errors import StackError
from stack.links import links_of
from stack.secrets import NAMES, read_secrets, write_secrets
from tests.stack.tools import compose_check

STACK = Path(engine.__file__).parent
PROFILES = "core,elk,traces,gpu,load"
WITHOUT_A_SHELL = {"collector", "dcgm-exporter"}  # nothing in their image could ask them
RUN_AND_END = {"harness", "elasticsearch-users"}


def load(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [compose_check(), STACK / "compose.yaml"],
        cwd=STACK, env={"PATH": "/usr/bin", "COMPOSE_PROFILES": PROFILES, **environment},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def secrets() -> dict[str, str]:
    return {name: f"generated-{name.lower()}" for name in NAMES}


@pytest.fixture(scope="module")
def services(secrets: dict[str, str]) -> dict[str, dict]:
    loaded = load(secrets)
    assert loaded.returncode == 0, loaded.stderr
    return json.loads(loaded.stdout)["services"]


def test_every_profile_loads_with_all_its_references(services: dict[str, dict]):
    assert set(services) == {
        "prometheus", "alertmanager", "node_exporter", "grafana", "collector", "jaeger", "elasticsearch",
        "elasticsearch-users", "kibana", "target", "target-gpu", "dcgm-exporter", "harness",
    }  # fmt: skip


def test_without_its_passwords_it_does_not_load_and_says_what_to_do():
    refused = load({})

    assert refused.returncode != 0
    assert "tidegate stack secrets" in refused.stderr


def test_every_published_port_is_on_loopback(services: dict[str, dict]):
    published = [port for service in services.values() for port in service.get("ports", ())]

    assert len(published) == 12
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_every_service_has_a_memory_limit_and_gives_up_its_capabilities(services: dict[str, dict]):
    for name, service in services.items():
        assert int(service["mem_limit"]) >= 64 * 2**20, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_every_service_that_can_be_asked_has_a_health_check(services: dict[str, dict]):
    without = {name for name, service in services.items() if "healthcheck" not in service}

    assert without == WITHOUT_A_SHELL | RUN_AND_END


def test_every_image_has_a_pinned_version_or_is_built_here(services: dict[str, dict]):
    for name, service in services.items():
        pinned = re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*", service["image"])
        assert pinned or "build" in service, f"{name}: {service['image']}"


def test_every_file_and_folder_that_is_mounted_is_there(services: dict[str, dict]):
    mounts = [volume for service in services.values() for volume in service.get("volumes", ())]
    bound = [Path(volume["source"]) for volume in mounts if volume["type"] == "bind"]

    assert len(bound) >= 10
    assert [str(source) for source in bound if not source.exists()] == []


def test_what_is_stored_is_in_named_volumes(services: dict[str, dict]):
    for name in ("prometheus", "alertmanager", "grafana", "elasticsearch"):
        kept = [volume["source"] for volume in services[name]["volumes"] if volume["type"] == "volume"]
        assert kept == [name]


def test_the_superusers_password_goes_to_the_server_and_the_setup_only(
    services: dict[str, dict], secrets: dict[str, str]
):
    holders = {
        name
        for name, service in services.items()
        if secrets["ELASTIC_PASSWORD"] in json.dumps(service.get("environment", {}))
    }

    assert holders == {"elasticsearch", "elasticsearch-users"}


@pytest.mark.parametrize("name", ["target", "harness"])
def test_an_image_is_built_in_stages_and_does_not_run_as_root(name: str):
    text = (STACK / "docker" / f"{name}.Dockerfile").read_text()

    assert text.count("\nFROM ") >= 1
    assert text.index("USER 10001") > text.rindex("\nFROM ")
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    linted = subprocess.run([hadolint, "-"], input=text, capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, "")


def test_passwords_are_generated_once_and_only_their_owner_can_read_them(tmp_path: Path):
    file = write_secrets(tmp_path)
    first = read_secrets(tmp_path)
    write_secrets(tmp_path)

    assert set(first) == set(NAMES)
    assert len(set(first.values())) == len(NAMES)
    assert min(map(len, first.values())) == 32
    assert read_secrets(tmp_path) == first
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_password_that_a_later_version_needs_is_added(tmp_path: Path):
    (tmp_path / "secrets.env").write_text("ELASTIC_PASSWORD=as-it-was\n")
    write_secrets(tmp_path)

    assert read_secrets(tmp_path)["ELASTIC_PASSWORD"] == "as-it-was"
    assert set(read_secrets(tmp_path)) == set(NAMES)


def test_the_command_line_names_file_versions_passwords_and_profiles(tmp_path: Path):
    command = engine.command(tmp_path, "up", "--wait")

    assert command == [
        "docker", "compose", "--file", str(STACK / "compose.yaml"), "--env-file", str(STACK / ".env"),
        "--env-file", str(tmp_path / "secrets.env"),
        "--profile", "core", "--profile", "elk", "--profile", "traces", "up", "--wait",
    ]  # fmt: skip


def test_the_setup_sends_each_role_and_its_user_as_the_superuser(secrets: dict[str, str]):
    """Elasticsearch is a stand-in here: the stripped distribution keeps no users of its own."""
    calls: list[tuple[str, str, dict]] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            calls.append((self.command, self.path, json.loads(body)))
            said = b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
            self.send_response(200 if said == f"elastic:{secrets['ELASTIC_PASSWORD']}" else 401)
            self.end_headers()

        def do_PUT(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Recorder) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        environment = {**secrets, "PATH": "/usr/bin:/bin"}
        environment["ELASTICSEARCH_URL"] = f"http://127.0.0.1:{server.server_port}"
        script = STACK / "config" / "elasticsearch" / "setup.sh"
        done = subprocess.run(["bash", script], env=environment, capture_output=True, text=True, check=False)
        server.shutdown()

    assert (done.returncode, done.stdout, done.stderr) == (0, "users and roles are in place\n", "")
    assert calls[0] == (
        "POST",
        "/_security/user/kibana_system/_password",
        {"password": secrets["KIBANA_SYSTEM_PASSWORD"]},
    )
    assert [path for _, path, _ in calls[1:]] == [
        f"/_security/{kind}/tidegate_{name}"
        for name in ("writer", "reader", "traces")
        for kind in ("role", "user")
    ]
    assert calls[1][2] == json.loads((script.parent / "roles" / "tidegate_writer.json").read_text())
    assert calls[2][2] == {"password": secrets["ELASTIC_WRITER_PASSWORD"], "roles": ["tidegate_writer"]}


def test_the_password_in_an_endpoint_is_not_shown():
    link = links_of(Endpoints(elasticsearch="http://tidegate_writer:secret@127.0.0.1:9200"))[0]

    assert link.url == "http://127.0.0.1:9200/_cat/indices?v"


def test_up_starts_the_containers_and_writes_where_they_are_for_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The engine is a stand-in that notes how it was called."""
    client = tmp_path / "bin" / "docker"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{client.parent}:/usr/bin:/bin")

    assert engine.answers()
    engine.up(tmp_path / "here", print)

    endpoints = read_endpoints(tmp_path / "here")
    password = read_secrets(tmp_path / "here")["ELASTIC_WRITER_PASSWORD"]
    assert endpoints is not None
    assert endpoints.elasticsearch == f"http://tidegate_writer:{password}@127.0.0.1:9200"
    assert (tmp_path / "here" / "stack.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "called").read_text().splitlines()[-1].endswith("--profile traces up --detach --wait")
    engine.down(tmp_path / "here", print)
    assert read_endpoints(tmp_path / "here") is None


def test_an_engine_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\nexit 17\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert not engine.answers()
    with pytest.raises(StackError, match=r"^docker compose up ended with code 17$"):
        engine.up(tmp_path, print)
