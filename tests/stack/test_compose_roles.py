"""The compose stack's users may do what their component must, and no more: on a real server with security on.

The server here is the stripped distribution, whose users come from files instead of its API; the roles are
those that the compose stack's setup sends.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.components import elasticsearch as component
from stack.components import jaeger
from stack.components.table import named
from stack.errors import NotObtainableError
from stack.native.launch import Launch, start, wait_until_healthy
from stack.native.plan import plan_site
from stack.native.process import stop
from stack.native.site import Site
from stack.render import TEMPLATES, config_flags
from tests.stack.asking import ask, eventually, span
from tests.stack.conftest import JAVA_OPTIONS, skip

ROLES = TEMPLATES / "elasticsearch" / "roles"
STREAM = "logs-tidegate.requests-default"


@dataclass(frozen=True, slots=True)
class Secured:
    site: Site
    passwords: dict[str, str]

    def ask(self, user: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return the status and the answer; a string goes as it is, as ``_bulk`` wants it."""
        data = body if isinstance(body, str) else json.dumps(body) if body is not None else None
        credential = base64.b64encode(f"{user}:{self.passwords[user]}".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {credential}"}
        url = self.site.url("elasticsearch") + path
        request = urllib.request.Request(url, data.encode() if data else None, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    site = plan_site(folder, named(["elasticsearch", "jaeger"]), at_free_ports=True)
    site = replace(site, java_options=JAVA_OPTIONS)
    try:
        launch = component.launch(site)
        jaeger.install()
    except NotObtainableError as error:
        skip(str(error))
    server = Secured(site, secure(site))
    process = start(launch := replace(launch, health=f"tcp://{site.address('elasticsearch')}"))
    try:
        wait_until_healthy(launch, process)
        yield server
    finally:
        stop(process, launch.stop_seconds)


def secure(site: Site) -> dict[str, str]:
    """Turn security on and write the users' files; return their passwords."""
    config = site.config("elasticsearch")
    settings = config / "elasticsearch.yml"
    settings.write_text(settings.read_text().replace("security.enabled: false", "security.enabled: true"))
    roles = {file.stem: json.loads(file.read_text()) for file in sorted(ROLES.glob("*.json"))}
    owners = {**{role: role for role in roles}, "admin": "superuser"}
    passwords = {user: secrets.token_urlsafe(12) for user in owners}
    write(config / "roles.yml", yaml.safe_dump(roles))
    write(config / "users", "".join(f"{user}:{hashed(word)}\n" for user, word in passwords.items()))
    write(config / "users_roles", "".join(f"{role}:{user}\n" for user, role in owners.items()))
    return passwords


def write(file: Path, text: str) -> None:
    file.write_text(text)
    if file.owner() != file.parent.owner():
        shutil.chown(file, file.parent.owner())


def hashed(password: str) -> str:
    """Return Elasticsearch's PBKDF2 form: rounds, salt and a 32-byte HMAC-SHA512 key."""
    salt = secrets.token_bytes(32)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 1000, 32)
    return f"{{PBKDF2}}1000${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


@pytest.fixture(scope="module")
def stream(secured: Secured) -> str:
    """The template that the stack's provisioning puts as the superuser."""
    template = {"index_patterns": ["logs-tidegate.*"], "data_stream": {}, "priority": 500}
    assert secured.ask("admin", "PUT", "/_index_template/test", template)[0] == 200
    return STREAM


def bulk_create(identifier: str) -> str:
    document = {"@timestamp": "2026-01-01T00:00:00Z", "message": "one"}
    return f"{json.dumps({'create': {'_id': identifier}})}\n{json.dumps(document)}\n"


def test_the_writer_stores_counts_reads_and_closes_its_own_streams(secured: Secured, stream: str):
    stored = secured.ask("tidegate_writer", "POST", f"/{stream}/_bulk?refresh=true", bulk_create("one"))
    backing = stored[1]["items"][0]["create"]["_index"]

    assert stored[1]["items"][0]["create"]["status"] == 201
    assert secured.ask("tidegate_writer", "GET", f"/{stream}/_count")[1]["count"] == 1
    assert (
        secured.ask("tidegate_writer", "GET", f"/_resolve/index/{stream}")[1]["data_streams"][0]["name"]
        == stream
    )
    assert secured.ask("tidegate_writer", "GET", "/_nodes/plugins")[0] == 200
    # What the shipper does when a stream rolled over between a lost answer and the retry:
    assert secured.ask("admin", "POST", f"/{stream}/_rollover")[0] == 200
    assert secured.ask("tidegate_writer", "PUT", f"/{backing}/_block/write")[0] == 200
    found = secured.ask("tidegate_writer", "POST", f"/{backing}/_mget", {"ids": ["one"]})
    assert found[1]["docs"][0]["found"] is True


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/elsewhere/_doc/1", {"x": 1}),
        ("POST", f"/{STREAM}/_rollover", None),
        ("PUT", f"/{STREAM}/_settings", {"index": {"blocks": {"read_only": True}}}),
        ("PUT", "/_index_template/mine", {"index_patterns": ["x"]}),
        ("GET", "/jaeger-jaeger-span-2026-01-01/_search", None),
    ],
)
def test_the_writer_may_do_nothing_else(secured: Secured, stream: str, method: str, path: str, body: object):
    assert secured.ask("tidegate_writer", method, path, body)[0] == 403


def test_the_reader_reads_and_may_not_write(secured: Secured, stream: str):
    assert secured.ask("tidegate_reader", "GET", f"/{stream}/_search")[0] == 200
    refused = secured.ask("tidegate_reader", "POST", f"/{stream}/_bulk", bulk_create("two"))

    assert refused[0] == 403


def test_jaeger_stores_and_finds_a_trace_with_its_own_password(secured: Secured):
    site, trace_id = secured.site, secrets.token_hex(16)
    layers = [*jaeger.layers(site), "jaeger/storage-password.yaml"]
    launch = Launch(
        name="jaeger",
        command=(
            str(jaeger.install() / "jaeger"),
            *config_flags(site.config("jaeger"), layers, jaeger.values(site)),
        ),
        health=f"{site.url('jaeger.health')}/status",
        log=site.log("jaeger"),
        environment={"ELASTIC_TRACES_PASSWORD": secured.passwords["tidegate_traces"]},
    )
    process = start(launch)
    try:
        wait_until_healthy(launch, process)
        ask(f"{site.url('jaeger.otlp_http')}/v1/traces", span(trace_id, "roles-test"))
        found = eventually(lambda: ask(f"{site.url('jaeger')}/api/traces/{trace_id}").get("data"))
    finally:
        stop(process, 10)

    assert found[0]["traceID"] == trace_id
