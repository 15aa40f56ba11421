"""The names of other servers, against pages that they really served."""

import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.telemetry.target import counters_of
from observability.alike import ALIKE, series_of
from observability.foreign import RUNNING
from observability.foreign_names import FOREIGN_METRICS, known_series
from observability.names import BY_NAME, METRICS

ROOT = Path(__file__).parents[2]
CAPTURES = Path(os.environ.get("TIDEGATE_CAPTURES", ROOT.parent / "shared" / "captures"))
PAGES = {"vllm": "vllm-0.32-cpu.metrics.txt", "llamacpp": "llamacpp.metrics.txt"}


def page_of(server: str) -> str:
    file = CAPTURES / PAGES[server]
    if not file.is_file():
        pytest.skip(f"no captured page of {server} here")
    return file.read_text()


def samples_of(page: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


@pytest.mark.parametrize("server", PAGES)
def test_each_series_of_the_table_is_on_the_servers_own_page(server: str):
    there = samples_of(page_of(server))
    for row in ALIKE:
        if row.server == server:
            for _, theirs in series_of(row):
                assert theirs in there
            for label, value in row.where:
                told = {labels[label] for labels in there[row.theirs]}
                assert set(value.split("|")) <= told


def test_what_dashboards_read_of_vllm_is_on_its_page():
    there = samples_of(page_of("vllm"))
    for metric in FOREIGN_METRICS:
        if metric.name.startswith("vllm:"):
            assert set(metric.series) <= set(there)
            assert set(metric.labels) <= set(there[metric.series[-1]][0])


def test_reconciliation_reads_the_same_pages():
    assert counters_of(page_of("vllm")).finished == 86
    assert counters_of(page_of("llamacpp")).output_tokens == 2883


def test_tgi_is_counted_by_its_successes_and_by_the_sum_of_its_answers():
    page = """
# TYPE tgi_request_success counter
tgi_request_success 3
# TYPE tgi_request_generated_tokens histogram
tgi_request_generated_tokens_bucket{le="+Inf"} 3
tgi_request_generated_tokens_sum 30
tgi_request_generated_tokens_count 3
"""
    told = counters_of(page)
    assert (told.kind, told.finished, told.output_tokens) == ("tgi", 3, 30)


def test_ours_are_names_of_the_table_with_the_labels_that_they_get():
    known = known_series()
    for row in ALIKE:
        for ours, _ in series_of(row):
            assert {name for name, _ in row.labels} <= known[ours]
    families = {name.removesuffix("_total") for name in (row.ours for row in ALIKE)}
    assert families <= set(BY_NAME)


def test_no_foreign_name_is_one_of_ours():
    assert not {metric.name for metric in FOREIGN_METRICS} & {metric.name for metric in METRICS}


def test_running_requests_are_read_from_whichever_server_it_is():
    assert RUNNING == (
        "tidegate_target_running",
        "vllm:num_requests_running",
        "sglang:num_running_reqs",
        "tgi_batch_current_size",
        "llamacpp:requests_processing",
    )
