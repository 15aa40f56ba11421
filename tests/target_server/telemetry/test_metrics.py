from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as parse_text

from observability.names import METRICS
from observability.trace_ids import traceparent
from tests.target_server.running import CHAT, COMPLETIONS, ThreadTarget, thread_target

OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def target() -> Iterator[ThreadTarget]:
    with thread_target("ttft=20ms,gap=5ms") as running:
        yield running


def test_counters_are_those_of_the_answers(target: ThreadTarget) -> None:
    replies = [target.post(max_tokens=3), target.post(COMPLETIONS, max_tokens=5)]
    streamed = target.post(stream=True, max_tokens=7, stream_options={"include_usage": True}).events[-2]
    used = [reply.json["usage"] for reply in replies] + [streamed["usage"]]
    target.post(n=2)
    target.ask("POST", CHAT, b"{")
    target.ask("GET", CHAT)  # no generation request
    target.ask("POST", "/v1/nothing", b"{}")
    assert target.sample("tidegate_target_requests_total", status="200", outcome="ok") == 3
    assert target.sample("tidegate_target_requests_total", status="400", outcome="invalid") == 2
    assert target.sample("tidegate_target_output_tokens_total") == 15 == total(used, "completion_tokens")
    assert target.sample("tidegate_target_prompt_tokens_total") == 9 == total(used, "prompt_tokens")


def total(usages: list[dict[str, int]], name: str) -> int:
    return sum(usage[name] for usage in usages)


def test_histograms_hold_what_the_timetable_says(target: ThreadTarget) -> None:
    for _ in range(4):
        target.post(max_tokens=3)
    target.post(n=2)  # a refusal is no latency
    for name, least, most in (
        ("gen_ai_server_time_to_first_token_seconds", 0.019, 0.2),
        ("gen_ai_server_time_per_output_token_seconds", 0.003, 0.05),
        ("gen_ai_server_request_duration_seconds", 0.029, 0.3),
        ("tidegate_target_prefill_seconds", 0.018, 0.2),
        ("tidegate_target_decode_seconds", 0.009, 0.2),
        ("tidegate_target_queue_seconds", 0.0, 0.05),
    ):
        assert target.sample(f"{name}_count") == 4
        mean = (target.sample(f"{name}_sum") or 0.0) / 4
        assert least <= mean <= most, name


def test_every_target_metric_of_the_table_is_on_the_page_and_no_other(target: ThreadTarget) -> None:
    target.post()
    page = target.ask("GET", "/metrics").body.decode()
    served = {family.name for family in parse_text(page) if not family.name.endswith("_created")}
    expected = {metric.name for metric in METRICS if metric.half in ("target", "both")}
    gpu = {name for name in expected if name.startswith("tidegate_gpu_")}  # only where there is one
    assert expected - gpu <= served <= expected


def test_openmetrics_names_the_traces_of_sampled_requests(
    target: ThreadTarget,
) -> None:
    target.post(headers={"traceparent": traceparent(TRACE, PARENT, sampled=True)})
    reply = target.ask("GET", "/metrics", headers=OPENMETRICS)
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    assert exemplars(reply.body.decode()) == {
        ("gen_ai_server_time_to_first_token_seconds", TRACE),
        ("gen_ai_server_time_per_output_token_seconds", TRACE),
        ("gen_ai_server_request_duration_seconds", TRACE),
        ("tidegate_target_queue_seconds", TRACE),
        ("tidegate_target_prefill_seconds", TRACE),
        ("tidegate_target_decode_seconds", TRACE),
    }


def test_a_request_that_is_not_sampled_leaves_no_exemplar(target: ThreadTarget) -> None:
    target.post(headers={"traceparent": traceparent(TRACE, PARENT, sampled=False)})
    assert exemplars(target.ask("GET", "/metrics", headers=OPENMETRICS).body.decode()) == set()


def exemplars(page: str) -> set[tuple[str, str]]:
    return {
        (family.name, sample.exemplar.labels["trace_id"])
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.exemplar is not None
    }
