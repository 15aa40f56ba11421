"""Every series that a query of ours may read, with its labels: the names table, and what our rules record."""

from __future__ import annotations

from dashboards import expressions
from dashboards.promql import read
from observability.foreign_names import known_series


def readable() -> dict[str, frozenset[str]]:
    """Return the labels that may be named of each series."""
    known = known_series()
    for file in expressions.rule_files():
        for rule in expressions.rules(file):
            if "record" in rule:
                name = rule["record"]
                known[name] = known.get(name, frozenset()) | _labels(rule)
    return known


def _labels(rule: dict[str, object]) -> frozenset[str]:
    """Return what a recorded series is told apart by: the labels it is grouped by, and those it gets."""
    given = rule.get("labels")
    return read(str(rule["expr"])).grouped | frozenset(given if isinstance(given, dict) else ())
