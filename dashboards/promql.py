"""PromQL read by its parser: is it valid, which series does it select, which labels does it name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError

_VARIABLE = re.compile(r"\$\{?(\w+)(?::[\w:]+)?\}?")
_STAND_INS = {"__rate_interval": "15s", "__range": "900s", "__interval": "15s", "shift": "1"}
"""Where a query needs a duration or a number, and not the text of a label's value."""


@dataclass(frozen=True, slots=True)
class Selected:
    """A series that a query reads, and the labels that it names there."""

    series: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an expression reads: its selectors, and the labels that it groups and joins by."""

    selected: tuple[Selected, ...]
    grouped: frozenset[str]
    ranges: tuple[str, ...]
    """The text of every range in brackets, with its variables."""
    kept: frozenset[str] | None
    """The labels that the result is told apart by; None: all that its series have."""


def substitute(text: str, values: Mapping[str, str] | None = None) -> str:
    """Put values where Grafana would put its variables' values; ``.*`` where none is given."""
    known = {**_STAND_INS, **(values or {})}
    return _VARIABLE.sub(lambda match: known.get(match[1], ".*"), text)


def variables_of(text: str) -> set[str]:
    """Return the names of the variables that a text uses."""
    return {match[1] for match in _VARIABLE.finditer(text)}


def read(text: str) -> Reading:
    """Return what an expression reads. Raises ValueError where it is none, UsageError without the parser."""
    parser = _parser()
    selected: list[Selected] = []
    grouped: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, parser.VectorSelector):
            selected.append(_selected(node))
        elif isinstance(node, parser.AggregateExpr) and node.modifier is not None:
            grouped.update(node.modifier.labels)
        elif isinstance(node, parser.BinaryExpr) and node.modifier is not None:
            grouped.update(node.modifier.matching.labels if node.modifier.matching else ())
            grouped.update(node.modifier.group_labels or ())

    tree = parser.parse(substitute(text))
    parser.walk(tree, visit)
    ranges = tuple(re.findall(r"\[([^\]]+)\]", text))
    return Reading(tuple(selected), frozenset(grouped), ranges, _kept(tree))


def _kept(node: Any) -> frozenset[str] | None:
    """Follow the result down to where its labels are chosen: an aggregation, or a selector, which has all."""
    parser = _parser()
    if isinstance(node, parser.VectorSelector | parser.MatrixSelector):
        return None
    if isinstance(node, parser.AggregateExpr):
        return frozenset(node.modifier.labels if node.modifier is not None else ())
    parts = (
        [node.lhs, node.rhs]
        if isinstance(node, parser.BinaryExpr)
        else getattr(node, "args", None) or [node.expr]
    )
    vectors = [part for part in parts if not isinstance(part, parser.NumberLiteral | parser.StringLiteral)]
    return _kept(vectors[0]) if vectors else frozenset()


def _selected(selector: Any) -> Selected:
    names = {matcher.name for matcher in selector.matchers.matchers}
    return Selected(selector.name or "", frozenset(names - {"__name__"}))


def _parser() -> Any:
    try:
        import promql_parser
    except ImportError:
        raise UsageError("checking queries needs promql-parser: pip install 'tidegate[dev]'") from None
    return promql_parser
