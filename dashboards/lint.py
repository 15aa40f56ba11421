"""What must hold of every dashboard and rule, as sentences about where it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dashboards import expressions
from dashboards.expressions import Expression
from dashboards.lint_boards import board_faults
from dashboards.promql import read
from dashboards.series import readable

_ALERT_LABELS = {"severity"}
_ALERT_WORDS = {"summary", "description"}


def faults() -> list[str]:
    """Return every fault of the committed files; none is how it should be."""
    known = readable()
    boards = expressions.boards()
    found = [fault for board in boards.values() for fault in board_faults(board)]
    found += [fault for each in expressions.all_expressions() for fault in expression_faults(each, known)]
    found += [
        fault
        for file in expressions.rule_files()
        for rule in expressions.rules(file)
        for fault in rule_faults(rule)
    ]
    return found


def expression_faults(expression: Expression, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Yield what is wrong with one query: its grammar, its series, its labels."""
    where = f"{expression.file}: {expression.place}"
    try:
        reading = read(expression.text)
    except ValueError as error:
        yield f"{where}: not PromQL: {error}"
        return
    for chosen in reading.selected:
        if chosen.series not in known:
            yield f"{where}: {chosen.series or 'a selector without a name'} is in no table of names"
        elif strange := chosen.labels - known[chosen.series]:
            yield f"{where}: {chosen.series} has no label {', '.join(sorted(strange))}"
    has = frozenset().union(*(known.get(chosen.series, frozenset()) for chosen in reading.selected))
    if strange := reading.grouped - has:
        yield f"{where}: none of its series has the label {', '.join(sorted(strange))}"


def rule_faults(rule: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an alert lacks for the person whom it wakes."""
    if "alert" not in rule:
        return
    if missing := _ALERT_LABELS - set(rule["labels"]):
        yield f"alert {rule['alert']}: no label {', '.join(missing)}"
    if missing := _ALERT_WORDS - set(rule["annotations"]):
        yield f"alert {rule['alert']}: no {', '.join(missing)}"
