"""Grafana's published API, as far as we use it: paths, required fields, and answers of its documentation.

Written after grafana.com/docs, "HTTP API": folder, data source, dashboard, alerting provisioning, service
account, annotations. It refuses a body that lacks what the documentation requires.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.dashboards.standin import Call

_REQUIRED_OF_A_RULE = {
    "title", "ruleGroup", "folderUID", "noDataState", "execErrState", "for", "orgID", "condition", "data",
}  # fmt: skip
_REQUIRED_OF_A_SOURCE = {"name", "type", "access"}
Answer = tuple[int, Any]


class Grafana:
    """Its state, by uid. ``answer`` is what `stand_in` serves."""

    def __init__(self) -> None:
        self.folders: dict[str, Any] = {}
        self.sources: dict[str, Any] = {}
        self.dashboards: dict[str, Any] = {}
        self.rules: dict[str, Any] = {}
        self.accounts: list[Any] = []
        self.annotations: list[Any] = []
        self._routes: list[tuple[str, str, Callable[..., Answer]]] = [
            ("GET", r"/api/folders/([\w-]+)", lambda _, uid: found(self.folders, uid)),
            ("POST", r"/api/folders", self._make_folder),
            ("GET", r"/api/datasources/uid/([\w-]+)", lambda _, uid: found(self.sources, uid)),
            ("POST", r"/api/datasources", self._make_source),
            ("PUT", r"/api/datasources/uid/([\w-]+)", self._change_source),
            ("GET", r"/api/dashboards/uid/([\w-]+)", self._get_dashboard),
            ("POST", r"/api/dashboards/db", self._save_dashboard),
            ("GET", r"/api/v1/provisioning/alert-rules/([\w-]+)", lambda _, uid: found(self.rules, uid)),
            ("POST", r"/api/v1/provisioning/alert-rules", self._make_rule),
            ("PUT", r"/api/v1/provisioning/alert-rules/([\w-]+)", self._change_rule),
            ("GET", r"/api/serviceaccounts/search", self._search_accounts),
            ("POST", r"/api/serviceaccounts/?", self._make_account),
            ("POST", r"/api/serviceaccounts/(\d+)/tokens", self._make_token),
            ("GET", r"/api/annotations", self._find_annotations),
            ("POST", r"/api/annotations", self._make_annotation),
        ]

    def answer(self, call: Call) -> Answer:
        if "authorization" not in call.headers:
            return 401, {"message": "Unauthorized"}
        for method, pattern, serve in self._routes:
            match = re.fullmatch(pattern, call.path)
            if match and call.method == method:
                return serve(call, *match.groups())
        return 404, {"message": f"no such route: {call.method} {call.path}"}

    def _make_folder(self, call: Call) -> Answer:
        folder = {"id": 1, "version": 1, **call.body}
        self.folders[call.body["uid"]] = folder
        return 200, folder

    def _make_source(self, call: Call) -> Answer:
        if missing := _REQUIRED_OF_A_SOURCE - set(call.body):
            return 400, {"message": f"bad request data: {sorted(missing)}"}
        self.sources[call.body["uid"]] = {"id": len(self.sources) + 1, "readOnly": False, **call.body}
        return 200, {"id": len(self.sources), "message": "Datasource added", "name": call.body["name"]}

    def _change_source(self, call: Call, uid: str) -> Answer:
        self.sources[uid] |= call.body
        return 200, {"message": "Datasource updated"}

    def _get_dashboard(self, _: Call, uid: str) -> Answer:
        if uid not in self.dashboards:
            return 404, {"message": "Dashboard not found"}
        return 200, {"dashboard": self.dashboards[uid], "meta": {"folderUid": "tidegate"}}

    def _save_dashboard(self, call: Call) -> Answer:
        document = call.body["dashboard"]
        if call.body["folderUid"] not in self.folders:
            return 412, {"message": "Folder not found"}
        if document["uid"] in self.dashboards and not call.body.get("overwrite"):
            return 412, {"message": "The dashboard has been changed by someone else"}
        self.dashboards[document["uid"]] = {**document, "id": len(self.dashboards) + 1, "version": 1}
        return 200, {"uid": document["uid"], "status": "success"}

    def _make_rule(self, call: Call) -> Answer:
        if missing := _REQUIRED_OF_A_RULE - set(call.body):
            return 400, {"message": f"invalid alert rule: {sorted(missing)}"}
        self.rules[call.body["uid"]] = {"id": len(self.rules) + 1, "updated": "now", **call.body}
        return 201, self.rules[call.body["uid"]]

    def _change_rule(self, call: Call, uid: str) -> Answer:
        self.rules[uid] |= call.body
        return 200, self.rules[uid]

    def _search_accounts(self, call: Call) -> Answer:
        page = self.accounts if call.query.get("page", ["1"]) == ["1"] else []
        return 200, {"totalCount": len(self.accounts), "serviceAccounts": page, "page": 1, "perPage": 100}

    def _make_account(self, call: Call) -> Answer:
        account = {"id": len(self.accounts) + 1, "login": f"sa-{call.body['name']}", **call.body}
        self.accounts.append(account)
        return 201, account

    def _make_token(self, call: Call, account: str) -> Answer:
        return 200, {"id": 7, "name": call.body["name"], "key": f"glsa_of_{account}"}

    def _find_annotations(self, call: Call) -> Answer:
        wanted = set(call.query.get("tags", []))
        return 200, [each for each in self.annotations if wanted <= set(each["tags"])]

    def _make_annotation(self, call: Call) -> Answer:
        self.annotations.append({"id": len(self.annotations) + 1, **call.body})
        return 200, {"message": "Annotation added", "id": len(self.annotations)}


def found(there: dict[str, Any], uid: str) -> Answer:
    return (200, there[uid]) if uid in there else (404, {"message": "not found"})
