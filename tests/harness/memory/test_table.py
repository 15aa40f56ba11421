"""Stored runs as a person sees them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from harness.errors import UsageError
from harness.memory.address import open_store, teller_for
from harness.memory.commands import show_runs
from harness.memory.query import StoredRun
from harness.memory.table import print_comparison, print_runs


def stored(run_id: str, offered: float, ttft_p99: Any, **more: Any) -> StoredRun:
    stage = {"latencies_seconds": {"ttft": {"p50": 0.1, "p99": ttft_p99}}}
    return StoredRun(
        {
            "@timestamp": "2026-01-02T03:04:05.678+00:00",
            "labels.run_id": run_id,
            "labels.scenario": "sale",
            "tidegate.verdict": "PASS",
            "tidegate.offered_per_second": offered,
            "tidegate.stages": [stage],
            **more,
        }
    )


def printed(show: Any, *arguments: Any) -> list[list[str]]:
    out = Console(file=io.StringIO(), width=40)
    show(*arguments, out)
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines_of(out)]


def lines_of(out: Console) -> list[str]:
    return str(out.file.getvalue()).splitlines()  # type: ignore[attr-defined]


def test_a_run_is_a_row_in_full_however_narrow_the_terminal() -> None:
    head, first, second = printed(print_runs, [stored("a" * 60, 40.0, 0.25), stored("b", 8.0, "+Inf")])
    assert head == ["Run", "When (UTC)", "Scenario", "Verdict", "Offered", "TTFT p99", "Goodput"]
    assert first == ["a" * 60, "2026-01-02 03:04:05", "sale", "PASS", "40.0/s", "250 ms", "–"]
    assert second[-2:] == ["∞", "–"]


def test_two_runs_stand_side_by_side_with_the_change() -> None:
    objective = {"name": "quick", "metric": "ttft", "measured": 0.2, "status": "PASS"}
    unmeasured = {"name": "drained", "metric": "drain_time", "status": "INCONCLUSIVE"}
    first = stored("a", 40.0, 0.25, **{"tidegate.objectives": [objective]})
    second = stored("b", 50.0, "+Inf", **{"tidegate.objectives": [unmeasured]})
    rows = {row[0]: row[1:] for row in printed(print_comparison, first, second)}
    assert rows["Offered"] == ["40.0/s", "50.0/s", "+25.0 %"]
    assert rows["TTFT p50"] == ["100 ms", "100 ms", "+0.0 %"]
    assert rows["TTFT p99"] == ["250 ms", "∞", "–"]
    assert rows["Goodput"] == ["–", "–", "–"]
    assert rows["quick"] == ["200 ms PASS", "–"]
    assert rows["drained"] == ["–", "– INCONCLUSIVE"]


@pytest.mark.parametrize(("run_ids", "query"), [(["a"], None), (["a", "b", "c"], None), (["a", "b"], "x")])
def test_ids_are_two_and_go_without_a_query(run_ids: list[str], query: str | None) -> None:
    with pytest.raises(UsageError, match="give two run ids to compare them, or none and a --query"):
        show_runs(None, run_ids, query, 20, Console())  # type: ignore[arg-type]


def test_without_a_store_runs_cannot_be_listed_and_are_not_told() -> None:
    with pytest.raises(UsageError, match="no Elasticsearch is known"):
        open_store(None)
    assert teller_for(None, None, print) is None
    assert teller_for("off", "http://127.0.0.1:9", print) is None


def test_a_stack_that_does_not_answer_is_noted_and_one_that_was_asked_for_is_an_error() -> None:
    noted: list[str] = []
    assert teller_for(None, "http://127.0.0.1:9", noted.append) is None
    (note,) = noted
    assert note.startswith("runs are not told to the stack's Elasticsearch: http://127.0.0.1:9: no answer")
