import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from harness.errors import TargetUnreachableError, UsageError
from harness.measure.reconcile import ServerCounts
from harness.scenario.model import Target
from harness.telemetry.target import Counters, counted_between, counters_of, model_of, read_counters

ROOT = Path(__file__).parents[3]
CAPTURES = Path(os.environ.get("TIDEGATE_CAPTURES", ROOT.parent / "shared" / "captures"))

VLLM_PAGE = """\
# TYPE vllm:request_success_total counter
vllm:request_success_total{engine="0",finished_reason="stop",model_name="m"} 3.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="m"} 86.0
vllm:request_success_total{engine="0",finished_reason="abort",model_name="m"} 7.0
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{engine="0",model_name="m"} 5460.0
"""
TARGET_PAGE = """\
# TYPE tidegate_target_requests_total counter
tidegate_target_requests_total{status="200",outcome="ok"} 10.0
tidegate_target_requests_total{status="429",outcome="rejected"} 4.0
# TYPE tidegate_target_output_tokens_total counter
tidegate_target_output_tokens_total 80.0
"""


def test_vllm_finished_requests_are_those_that_stopped_or_reached_their_length():
    assert counters_of(VLLM_PAGE) == Counters("vllm", 89.0, 5460.0)


def test_our_own_target_counts_answers_not_refusals():
    assert counters_of(TARGET_PAGE) == Counters("tidegate", 10.0, 80.0)


def test_a_page_that_we_cannot_read_counts_nothing():
    assert counters_of("# TYPE up gauge\nup 1\n") is None
    assert counters_of("<html>not a metrics page</html>") is None


@pytest.mark.skipif(not CAPTURES.exists(), reason="needs captured pages (TIDEGATE_CAPTURES)")
def test_captured_pages_of_real_servers_are_read():
    vllm = counters_of((CAPTURES / "vllm-0.32-cpu.metrics.txt").read_text())
    assert vllm == Counters("vllm", 86.0, 5460.0)
    llama = counters_of((CAPTURES / "llamacpp.metrics.txt").read_text())
    assert llama == Counters("llamacpp", None, 2883.0)


def test_the_run_is_the_difference_of_two_readings():
    before, after = Counters("vllm", 89.0, 5460.0), Counters("vllm", 99.0, 5520.0)
    assert counted_between(before, after) == ServerCounts("vllm", 10, 60)


def test_a_server_that_restarted_counted_nothing_that_we_know():
    before, after = Counters("vllm", 89.0, 5460.0), Counters("vllm", 2.0, 6000.0)
    assert counted_between(before, after) == ServerCounts("vllm", None, 540)
    assert counted_between(None, after) is None
    assert counted_between(before, None) is None


@contextmanager
def http_server(pages):
    """Serve (status, body) by path, and keep the headers of each request."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(dict(self.headers))
            status, body = pages.get(self.path, (404, ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


MODELS = json.dumps({"object": "list", "data": [{"id": "first"}, {"id": "second"}]})


def test_the_model_is_the_first_that_the_target_lists():
    with http_server({"/v1/models": (200, MODELS)}) as (url, _):
        assert model_of(Target(url=url)) == "first"
        assert model_of(Target(url=url, model="mine")) == "mine"


def test_a_target_that_lists_no_model_is_a_usage_error():
    with (
        http_server({"/v1/models": (200, '{"data": []}')}) as (url, _),
        pytest.raises(UsageError, match="model"),
    ):
        model_of(Target(url=url))


def test_a_models_page_that_is_not_json_is_told_without_a_traceback():
    with (
        http_server({"/v1/models": (200, "<html>")}) as (url, _),
        pytest.raises(UsageError, match="/v1/models"),
    ):
        model_of(Target(url=url))


def test_a_target_that_refuses_our_token_is_unreachable_and_says_why():
    with (
        http_server({"/v1/models": (401, "no")}) as (url, _),
        pytest.raises(TargetUnreachableError, match="401"),
    ):
        model_of(Target(url=url))


def test_nobody_listening_is_unreachable():
    with pytest.raises(TargetUnreachableError, match=r"127\.0\.0\.1:9"):
        model_of(Target(url="http://127.0.0.1:9"))


def test_the_token_comes_from_the_named_variable(monkeypatch):
    monkeypatch.setenv("A_KEY", "secret-token")
    with http_server({"/v1/models": (200, MODELS)}) as (url, seen):
        model_of(Target(url=url, api_key_env="A_KEY"))
    assert seen[0]["Authorization"] == "Bearer secret-token"


def test_a_target_without_a_metrics_page_has_no_counts():
    with http_server({"/v1/models": (200, MODELS)}) as (url, _):
        assert read_counters(Target(url=url)) is None
    assert read_counters(Target(url="http://127.0.0.1:9")) is None
