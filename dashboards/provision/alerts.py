"""Grafana-managed alert rules, made from the committed rules of Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dashboards.grafana.uids import FOLDER_UID, PROMETHEUS_UID

RULES = Path(__file__).parent.parent / "rules" / "run_alerts.yaml"
GROUP = "tidegate"
_LOOK_BACK_SECONDS = 600
_FIRES_ABOVE = 0


def alert_rules() -> list[dict[str, Any]]:
    """Return a rule of Grafana's for each alert that concerns a run."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [_rule(rule) for group in groups for rule in group["rules"]]


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "uid": f"tidegate-{rule['alert']}".lower(),
        "orgID": 1,
        "folderUID": FOLDER_UID,
        "ruleGroup": GROUP,
        "title": rule["alert"],
        "condition": "fires",
        "data": [_query(rule["expr"]), _condition()],
        "noDataState": "OK",  # an expression that finds nothing wrong gives nothing
        "execErrState": "Error",
        "for": rule["for"],
        "labels": rule["labels"],
        "annotations": rule["annotations"],
        "isPaused": False,
    }


def _query(expr: str) -> dict[str, Any]:
    """Turn what Prometheus finds into ones: an alert on ``valid == 0`` has the value 0."""
    return {
        "refId": "found",
        "queryType": "",
        "relativeTimeRange": {"from": _LOOK_BACK_SECONDS, "to": 0},
        "datasourceUid": PROMETHEUS_UID,
        "model": {"refId": "found", "expr": f"({expr}) * 0 + 1", "instant": True, "range": False},
    }


def _condition() -> dict[str, Any]:
    return {
        "refId": "fires",
        "queryType": "",
        "relativeTimeRange": {"from": _LOOK_BACK_SECONDS, "to": 0},
        "datasourceUid": "__expr__",
        "model": {
            "refId": "fires",
            "type": "threshold",
            "expression": "found",
            "conditions": [{"evaluator": {"type": "gt", "params": [_FIRES_ABOVE]}}],
        },
    }
