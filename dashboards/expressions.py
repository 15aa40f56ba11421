"""Every expression of the committed dashboards and rules, with where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dashboards.generated import BOARDS, RULES


@dataclass(frozen=True, slots=True)
class Expression:
    """``file`` and ``place`` name it for people: a board and its panel, or a file and its rule."""

    file: str
    place: str
    text: str


def boards() -> dict[str, dict[str, Any]]:
    """Return each committed dashboard by its uid."""
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(BOARDS.glob("*.json"))]
    return {document["uid"]: document for document in documents}


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a dashboard's panels without the headings."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def panel_expressions(board: dict[str, Any]) -> Iterator[Expression]:
    """Yield each query of a dashboard's panels and marks."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield Expression(board["uid"], f"{panel['title']} {target['refId']}", target["expr"])
    for mark in board["annotations"].get("list", ()):
        if "expr" in mark:
            yield Expression(board["uid"], f"marks {mark['name']}", mark["expr"])


def rules(file: Path) -> list[dict[str, Any]]:
    """Return the rules of a file, in their order."""
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def rule_files() -> list[Path]:
    """Return the committed files of rules."""
    return sorted(RULES.glob("*.yaml"))


def rule_expressions(file: Path) -> Iterator[Expression]:
    """Yield each rule of a file."""
    for rule in rules(file):
        name = rule.get("record") or rule["alert"]
        yield Expression(file.name, f"{name} {rule.get('labels', {})}", rule["expr"])


def all_expressions() -> list[Expression]:
    """Return every expression of ours that Prometheus will be asked."""
    of_boards = (each for board in boards().values() for each in panel_expressions(board))
    of_rules = (each for file in rule_files() for each in rule_expressions(file))
    return [*of_boards, *of_rules]
