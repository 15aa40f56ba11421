"""What must hold of a dashboard besides its queries' words: units, titles, places, variables."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from dashboards.expressions import panel_expressions, panels
from dashboards.promql import read, variables_of

Board = dict[str, Any]

_COLUMNS = 24
_LEAST_DESCRIPTION = 10
_SOURCE = "${datasource}"
_PER_WINDOW = re.compile(r"\b(rate|increase|irate|delta|deriv)\(")
_LEGEND_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def board_faults(board: Board) -> Iterator[str]:
    """Yield every fault as a sentence that begins with the dashboard's uid."""
    for check in _CHECKS:
        for fault in check(board):
            yield f"{board['uid']}: {fault}"


def _words(board: Board) -> Iterator[str]:
    if not board.get("description"):
        yield "no description"
    for panel in panels(board):
        if not panel.get("title"):
            yield f"panel {panel['id']} has no title"
        if len(panel.get("description", "")) < _LEAST_DESCRIPTION:
            yield f"{panel['title']}: no description"
    for link in board["links"]:
        if not link.get("tooltip"):
            yield f"link {link['title']}: no tooltip"


def _units(board: Board) -> Iterator[str]:
    for panel in panels(board):
        if not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{panel['title']}: no unit"


def _unique(board: Board) -> Iterator[str]:
    for what in ("id", "title"):
        counted = Counter(panel[what] for panel in board["panels"])
        yield from (f"two panels have the {what} {value}" for value, count in counted.items() if count > 1)


def _grid(board: Board) -> Iterator[str]:
    for panel in board["panels"]:
        place = panel["gridPos"]
        if place["x"] + place["w"] > _COLUMNS:
            yield f"{panel['title']}: reaches beyond the {_COLUMNS} columns"
    for one, other in itertools.combinations(board["panels"], 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            yield f"{one['title']} and {other['title']} overlap"


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not beside and not above


def _sources(board: Board) -> Iterator[str]:
    for panel in panels(board):
        asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        if any(source["uid"] != _SOURCE for source in asked):
            yield f"{panel['title']}: does not ask the data source that is chosen at the top"


def _intervals(board: Board) -> Iterator[str]:
    """A fixed window shorter than two scrapes shows nothing, and a long one hides a spike."""
    for panel in panels(board):
        for target in panel["targets"]:
            fixed = [each for each in read(target["expr"]).ranges if each != "$__rate_interval"]
            if _PER_WINDOW.search(target["expr"]) and fixed:
                yield f"{panel['title']} {target['refId']}: [{fixed[0]}] in place of [$__rate_interval]"


def _legends(board: Board) -> Iterator[str]:
    for panel in panels(board):
        for target in panel["targets"]:
            if not target.get("legendFormat"):
                yield f"{panel['title']} {target['refId']}: no legend"
            named = set(_LEGEND_LABEL.findall(target.get("legendFormat", "")))
            kept = read(target["expr"]).kept
            if kept is not None and (missing := named - kept):
                yield f"{panel['title']} {target['refId']}: its legend names {', '.join(missing)}"


def _variables(board: Board) -> Iterator[str]:
    named = {variable["name"] for variable in board["templating"]["list"]}
    used = {name for name in variables_of(json.dumps(board)) if not name.startswith("__")}
    used -= {name for name in used if name.startswith("labels") or name == "value"}
    yield from (f"uses the variable {name}, which it does not have" for name in sorted(used - named))
    yield from (f"the variable {name} is used nowhere" for name in sorted(named - used))


def _has_queries(board: Board) -> Iterator[str]:
    if not list(panel_expressions(board)):
        yield "shows nothing"


_CHECKS: tuple[Callable[[Board], Iterator[str]], ...] = (
    _words,
    _units,
    _unique,
    _grid,
    _sources,
    _intervals,
    _legends,
    _variables,
    _has_queries,
)
