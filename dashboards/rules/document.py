"""A file of rules as a value, and as the YAML that Prometheus reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule. ``labels`` are added to what ``expr`` gives."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return Prometheus' form."""
        rule: dict[str, Any] = {"record": self.record, "expr": self.expr}
        return rule | ({"labels": dict(self.labels)} if self.labels else {})


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule. ``for_`` is how long ``expr`` must hold (``10s``)."""

    alert: str
    expr: str
    for_: str
    labels: Mapping[str, str]
    summary: str
    description: str

    def to_dict(self) -> dict[str, Any]:
        """Return Prometheus' form."""
        return {
            "alert": self.alert,
            "expr": self.expr,
            "for": self.for_,
            "labels": dict(self.labels),
            "annotations": {"summary": self.summary, "description": self.description},
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other, every ``interval``."""

    name: str
    interval: str
    rules: Sequence[Record | Alert]

    def to_dict(self) -> dict[str, Any]:
        """Return Prometheus' form."""
        return {
            "name": self.name,
            "interval": self.interval,
            "rules": [rule.to_dict() for rule in self.rules],
        }


def rules_yaml(comment: Sequence[str], groups: Sequence[Group]) -> str:
    """Return the file's text, which begins with the comment and with how it is made."""
    lines = [*comment, "Made by `tidegate dashboards generate`: change what makes it, not this file."]
    head = "".join(f"# {line}\n" for line in lines)
    body = {"groups": [group.to_dict() for group in groups]}
    return head + yaml.safe_dump(body, sort_keys=False, width=1_000_000, allow_unicode=True)
