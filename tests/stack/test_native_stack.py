"""The whole native stack: every component answers, and what is sent in one end comes out of the other."""

from __future__ import annotations

import secrets
import time
import urllib.error
import urllib.parse
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from stack.native.state import read_state
from stack.native.status import status_of
from stack.provision import provision
from stack.scrape import announce, withdraw
from tests.stack.asking import ask, eventually, span
from tests.stack.conftest import NativeStack


def query(stack: NativeStack, expression: str) -> list[dict]:
    words = urllib.parse.urlencode({"query": expression})
    return ask(f"{stack.endpoints.prometheus}/api/v1/query?{words}")["data"]["result"]


def gauge(name: str, value: float, service: str) -> dict:
    point = {"asDouble": value, "timeUnixNano": str(time.time_ns())}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    metric = {"name": name, "gauge": {"dataPoints": [point]}}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}


@pytest.fixture
def page() -> Iterator[str]:
    """A page of metrics; yields its address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(b"tidegate_test_gauge 42\n")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_every_component_is_healthy_and_has_an_endpoint(native_stack: NativeStack):
    states = {row.name: row.state for row in status_of(read_state(native_stack.site.folder))}

    assert states == dict.fromkeys(
        ("elasticsearch", "prometheus", "collector", "alertmanager", "node_exporter", "jaeger"), "healthy"
    )
    missing = {name for name, url in asdict(native_stack.endpoints).items() if url is None}
    assert missing == {"grafana", "kibana", "redis"}


def test_a_span_goes_through_the_collector_to_jaeger_and_is_stored_in_elasticsearch(
    native_stack: NativeStack,
):
    endpoints, trace_id = native_stack.endpoints, secrets.token_hex(16)
    ask(f"{endpoints.otlp_http}/v1/traces", span(trace_id, "stack-test"))

    found = eventually(lambda: ask(f"{endpoints.jaeger}/api/traces/{trace_id}").get("data"))

    assert [(one["traceID"], one["operationName"]) for one in found[0]["spans"]] == [(trace_id, "queue")]
    stored = ask(
        f"{endpoints.elasticsearch}/jaeger-jaeger-span-*/_search", {"query": {"term": {"traceID": trace_id}}}
    )
    assert stored["hits"]["total"]["value"] == 1


def test_a_metric_that_is_pushed_by_otlp_can_be_queried_with_its_services_name(native_stack: NativeStack):
    ask(f"{native_stack.endpoints.otlp_http}/v1/metrics", gauge("stack.test.pushed", 7.5, "stack-test"))

    found = eventually(lambda: query(native_stack, "stack_test_pushed"))

    assert found[0]["metric"]["job"] == "stack-test"
    assert found[0]["value"][1] == "7.5"


def test_prometheus_scrapes_the_machine_the_collector_and_itself(native_stack: NativeStack):
    eventually(lambda: len(query(native_stack, "up == 1")) >= 3)

    jobs = {each["metric"]["job"] for each in query(native_stack, "up == 1")}
    assert {"node", "collector", "prometheus"} <= jobs


def test_an_announced_page_is_scraped_by_the_second_until_it_is_withdrawn(
    native_stack: NativeStack, page: str
):
    announce("generator", "test", [page], {"scenario": "test"}, native_stack.site.folder)
    try:
        found = eventually(lambda: query(native_stack, "tidegate_test_gauge"))
        eventually(
            lambda: (
                float(query(native_stack, "count_over_time(tidegate_test_gauge[10s])")[0]["value"][1]) >= 3
            )
        )
    finally:
        withdraw("generator", "test", native_stack.site.folder)

    assert found[0]["metric"]["job"] == "generator"
    assert found[0]["metric"]["scenario"] == "test"
    eventually(lambda: not query(native_stack, "tidegate_test_gauge"))


def test_the_collector_refuses_what_is_no_span_and_counts_what_it_sent(native_stack: NativeStack):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        ask(f"{native_stack.endpoints.otlp_http}/v1/traces", {"resourceSpans": "none"})

    ask(f"{native_stack.endpoints.otlp_http}/v1/traces", span(secrets.token_hex(16), "stack-test"))
    eventually(lambda: query(native_stack, "otelcol_exporter_sent_spans > 0"))


def test_provisioning_puts_the_index_templates_and_says_what_was_left_out(native_stack: NativeStack):
    said: list[str] = []
    for _ in range(2):
        provision(native_stack.endpoints, native_stack.site.folder, said.append)

    assert said[0].startswith("Elasticsearch: index templates tidegate-")
    assert "retention" in said[1]  # this distribution has none
    assert said[2:] == said[:2]
    stored = ask(f"{native_stack.endpoints.elasticsearch}/_index_template/tidegate-*")
    assert len(stored["index_templates"]) >= 4
