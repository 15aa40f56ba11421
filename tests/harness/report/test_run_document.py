"""The run's own document."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from harness.measure.codec import to_plain
from harness.report.run_document import run_document
from harness.report.run_folder import Report
from observability.elastic.mappings import mapping_of
from observability.elastic.streams import Stream


@pytest.mark.parametrize("kind", ["PASS", "FAIL", "INVALID", "ABORTED", "INCONCLUSIVE"])
def test_the_document_tells_the_verdict_and_what_was_measured(reports: dict[str, Report], kind: str) -> None:
    report = reports[kind]
    document = run_document(report)
    told = json.loads(document.source)
    assert (document.stream, document.id) == (Stream.RUNS, report.run_id)
    assert told["tidegate.verdict"] == kind
    assert told["tidegate.reasons"] == list(report.verdict.reasons)
    assert told["tidegate.offered"] == report.summary.whole.offered
    assert told["tidegate.goodput_per_second"] == report.summary.whole.goodput
    assert told["tidegate.version"] == "0.1.0"
    assert [each["name"] for each in told["tidegate.objectives"]] == [
        result.objective.name for result in report.verdict.results
    ]
    assert told.keys() <= mapping_of(Stream.RUNS)["properties"].keys()


def test_a_percentile_that_failures_reach_has_no_number_and_is_told_as_infinite(
    reports: dict[str, Report],
) -> None:
    report = reports["PASS"]
    ttft = replace(report.summary.whole.latencies["ttft"], p95=0.25, p99=math.inf)
    whole = replace(report.summary.whole, latencies={**report.summary.whole.latencies, "ttft": ttft})
    told = json.loads(run_document(replace(report, summary=replace(report.summary, whole=whole))).source)
    assert told["tidegate.ttft_p95_ms"] == 250.0
    assert "tidegate.ttft_p99_ms" not in told
    assert told["tidegate.stages"][0]["latencies_seconds"]["ttft"]["p99"] == "+Inf" == to_plain(math.inf)
