"""The one sentence of the banner."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.report import headline
from harness.report.meaning import meaning
from harness.report.run_folder import Report
from harness.scenario.metrics import METRIC_NAMES
from harness.scenario.objective import Objective
from harness.verdict.model import Verdict, VerdictKind


def test_the_synthetic_runs_end_in_the_verdict_they_are_named_after(reports: dict[str, Report]) -> None:
    assert {name: report.verdict.kind.value for name, report in reports.items()} == {
        name: name for name in ("PASS", "FAIL", "INCONCLUSIVE", "INVALID", "ABORTED")
    }


def test_a_pass_says_how_many_objectives_hold(reports: dict[str, Report]) -> None:
    assert headline.sentence(reports["PASS"]).startswith("All 6 objectives hold")


def test_a_fail_names_what_was_missed_measured_and_required(reports: dict[str, Report]) -> None:
    sentence = headline.sentence(reports["FAIL"])
    assert sentence.startswith("2 of 6 objectives missed: TTFT p90 in stages sale and fade is ∞")
    assert "at least 10 % of its requests got no answer (required ≤ 2 s)" in sentence
    assert "shed share over the whole run is 17.6 % (required ≤ 5 %)." in sentence


def test_an_inconclusive_run_says_what_would_decide_it(reports: dict[str, Report]) -> None:
    sentence = headline.sentence(reports["INCONCLUSIVE"])
    assert sentence.startswith(
        "1 of 2 objectives cannot be decided: TTFT p99 in stage calm (required ≤ 125 ms)"
    )
    assert "more samples" in sentence


def test_a_run_without_objectives_has_nothing_to_judge(reports: dict[str, Report]) -> None:
    kind = VerdictKind.INCONCLUSIVE
    empty = replace(reports["PASS"], verdict=Verdict(kind, kind.exit_code, ("no_objectives: none",), ()))
    assert headline.sentence(empty) == "No objectives are defined, so there is nothing to judge."


def test_an_invalid_run_tells_the_first_reason_in_the_sentence_and_the_others_after_it(
    reports: dict[str, Report],
) -> None:
    report = reports["INVALID"]
    assert headline.sentence(report).startswith("This run cannot be judged: requests left late: p99")
    assert headline.sentence(report).endswith(f"(and {len(report.verdict.reasons) - 1} more reasons).")
    assert len(headline.more_reasons(report)) == len(report.verdict.reasons) - 1
    assert all("_" not in reason.split(":")[0] for reason in headline.more_reasons(report))


def test_an_aborted_run_says_what_stopped_it(reports: dict[str, Report]) -> None:
    assert headline.sentence(reports["ABORTED"]) == "The run did not finish: stopped by the user after 58 s."


def test_a_reason_without_a_code_is_kept_whole() -> None:
    assert headline.reason_sentence("the target: was away") == "The target: was away"


@pytest.mark.parametrize("metric", METRIC_NAMES)
def test_every_metric_has_a_sentence_that_says_what_an_objective_on_it_demands(metric: str) -> None:
    objective = Objective("x", metric, 95.0, "at_most", 0.25)  # type: ignore[arg-type]
    assert "{" not in meaning(objective)
    assert "25" in meaning(objective)


def test_the_meaning_of_a_latency_objective_is_a_sentence_for_people() -> None:
    objective = Objective("x", "ttft", 99.0, "at_most", 1.5)
    assert meaning(objective) == "99 % of requests get their first token within 1.5 s of being due"
