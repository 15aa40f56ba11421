"""Bring Grafana to the state that we want, and change nothing that has it already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dashboards.grafana.uids import FOLDER_UID
from dashboards.provision.alerts import alert_rules
from dashboards.provision.client import Client, holds
from dashboards.provision.sources import Places, data_sources

BOARDS = Path(__file__).parent.parent / "grafana" / "json"
FOLDER_TITLE = "tidegate"
SERVICE_ACCOUNT = "tidegate"
_OF_THE_SERVER = ("id", "version")
"""What Grafana itself writes into a dashboard."""


@dataclass(slots=True)
class Provisioned:
    """What was done, as names for people. ``token`` is the service account's, when it was made just now."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    token: str | None = None


class Provisioner:
    """Talks to one Grafana. ``credential`` is a token or ``(user, password)``.

    Every method raises ProvisionError when Grafana does not answer or refuses.
    """

    def __init__(self, url: str, credential: str | tuple[str, str]) -> None:
        self._client = Client(url, credential)
        self._api = self._client.api
        self.done = Provisioned()

    def provision(self, places: Places) -> Provisioned:
        """Make folder, data sources, dashboards, alert rules and service account; return what was done."""
        self.folder()
        for source in data_sources(places):
            self.data_source(source)
        for file in sorted(BOARDS.glob("*.json")):
            self.dashboard(json.loads(file.read_text(encoding="utf-8")))
        for rule in alert_rules():
            self.alert_rule(rule)
        self.service_account()
        return self.done

    def folder(self) -> None:
        """Make the folder, or give it its title again."""
        there = self._client.get(self._api.folder.get_folder, FOLDER_UID)
        if there is None:
            self._client.do(self._api.folder.create_folder, FOLDER_TITLE, FOLDER_UID)
        elif there["title"] != FOLDER_TITLE:
            self._client.do(self._api.folder.update_folder, FOLDER_UID, FOLDER_TITLE, overwrite=True)
        self._note("folder", FOLDER_TITLE, there, {"title": FOLDER_TITLE})

    def data_source(self, wanted: Mapping[str, Any]) -> None:
        """Make a data source, or bring it to its definition."""
        uid = wanted["uid"]
        there = self._client.get(self._api.datasource.get_datasource_by_uid, uid)
        if there is None:
            self._client.do(self._api.datasource.create_datasource, wanted)
        elif not holds(there, wanted):
            self._client.do(self._api.datasource.update_datasource_by_uid, uid, wanted)
        self._note("data source", uid, there, wanted)

    def dashboard(self, wanted: dict[str, Any]) -> None:
        """Store a dashboard in the folder, or bring it to what is committed."""
        answer = self._client.get(self._api.dashboard.get_dashboard, wanted["uid"])
        there = None if answer is None else answer["dashboard"]
        wanted = {name: value for name, value in wanted.items() if name not in _OF_THE_SERVER}
        if there is None or not holds(there, wanted):
            body = {"dashboard": wanted, "folderUid": FOLDER_UID, "overwrite": True, "message": "tidegate"}
            self._client.do(self._api.dashboard.update_dashboard, body)
        self._note("dashboard", wanted["uid"], there, wanted)

    def alert_rule(self, wanted: Mapping[str, Any]) -> None:
        """Make an alert rule that a person may still change in Grafana's page, or bring it to ours."""
        uid = wanted["uid"]
        there = self._client.get(self._api.alertingprovisioning.get_alertrule, uid)
        if there is None:
            self._client.do(self._api.alertingprovisioning.create_alertrule, wanted, disable_provenance=True)
        elif not holds(there, wanted):
            self._client.do(
                self._api.alertingprovisioning.update_alertrule, uid, wanted, disable_provenance=True
            )
        self._note("alert rule", uid, there, wanted)

    def service_account(self) -> None:
        """Make the account that runs write annotations with; its token is told once, when it is made."""
        found = self._client.do(self._api.serviceaccount.search, SERVICE_ACCOUNT, 1, 100)
        there = next((each for each in found[0]["serviceAccounts"] if each["name"] == SERVICE_ACCOUNT), None)
        if there is None:
            wanted = {"name": SERVICE_ACCOUNT, "role": "Editor", "isDisabled": False}
            made = self._client.do(self._api.serviceaccount.create, wanted)
            token = self._client.do(
                self._api.serviceaccount.create_token, made["id"], {"name": SERVICE_ACCOUNT}
            )
            self.done.token = token["key"]
        self._note("service account", SERVICE_ACCOUNT, there, {})

    def _note(self, kind: str, name: str, there: Any, wanted: Mapping[str, Any]) -> None:
        done = self.done
        list_ = done.created if there is None else done.unchanged if holds(there, wanted) else done.changed
        list_.append(f"{kind} {name}")
