"""Bring what we own into the running stack: index templates, dashboards, alert rules, saved searches."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from stack.compose_site import compose_site
from stack.endpoints import Endpoints, without_credentials
from stack.errors import StackError
from stack.grafana_token import keep_token
from stack.secrets import read_secrets

Say = Callable[[str], None]
_KIBANA_OBJECTS = Path(__file__).parent.parent / "dashboards" / "kibana" / "tidegate.ndjson"


def provision(endpoints: Endpoints, folder: Path, say: Say) -> None:
    """Provision every component that runs and can hold something of ours; a second call changes nothing.

    The native stack has neither Grafana nor Kibana and no security; the compose stack's passwords are read
    from the folder.
    """
    passwords = read_secrets(folder) if endpoints.kibana else {}
    try:
        if endpoints.elasticsearch:
            _elasticsearch(endpoints.elasticsearch, passwords, say)
        if endpoints.grafana:
            _grafana(endpoints.grafana, passwords, folder, say)
        if endpoints.kibana:
            _kibana(endpoints.kibana, passwords, say)
    except ModuleNotFoundError as error:
        raise StackError(f"{error.name} is not installed: pip install 'tidegate[stack]'") from None


def _elasticsearch(url: str, passwords: dict[str, str], say: Say) -> None:
    from observability.elastic.client import FAILURES, connect, explain
    from observability.elastic.provision import provision as put_templates

    password = passwords.get("ELASTIC_PASSWORD")
    if password:
        url = without_credentials(url).replace("://", f"://elastic:{password}@", 1)
    try:
        with connect(url) as client:
            done = put_templates(client)
    except FAILURES as error:
        raise StackError(explain(error)) from None
    say(f"Elasticsearch: index templates {', '.join(done.templates)}")
    for sentence in done.left_out:
        say(f"Elasticsearch: left out: {sentence}")


def _grafana(url: str, passwords: dict[str, str], folder: Path, say: Say) -> None:
    from dashboards.errors import ProvisionError
    from dashboards.provision.grafana import Provisioner
    from dashboards.provision.sources import Places

    names = ("prometheus", "jaeger", "elasticsearch", "alertmanager")
    places = Places(**{name: compose_site().url(name) for name in names})  # as Grafana reaches them
    try:
        done = Provisioner(url, ("admin", passwords["GRAFANA_ADMIN_PASSWORD"])).provision(places)
    except ProvisionError as error:
        raise StackError(str(error)) from None
    if done.token is not None:
        say(f"Grafana: a token that may annotate, in {keep_token(folder, done.token)}")
    say(f"Grafana: {len(done.created)} made, {len(done.changed)} changed, {len(done.unchanged)} as they were")


def _kibana(url: str, passwords: dict[str, str], say: Say) -> None:
    from dashboards.errors import ProvisionError
    from dashboards.kibana.importing import import_objects

    credential = base64.b64encode(f"elastic:{passwords['ELASTIC_PASSWORD']}".encode()).decode()
    try:
        done = import_objects(url, _KIBANA_OBJECTS.read_text(), {"Authorization": f"Basic {credential}"})
    except ProvisionError as error:
        raise StackError(str(error)) from None
    say(f"Kibana: {done.count} objects imported")
