import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from target_server.telemetry.prompts import PromptHasher, hasher_from_environment
from target_server.telemetry.request_log import configure_logging
from tests.target_server.running import ThreadTarget, thread_target, wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-00", "x-tidegate-run": "2026-11-24-run"}
SECRET = "my card number is 4111 1111 1111 1111"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "target.log.jsonl"
    configure_logging(file)
    yield file
    configure_logging(None)


@pytest.fixture
def target(log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadTarget]:
    monkeypatch.setenv("TIDEGATE_PROMPT_HASH_KEY", "a key")
    with thread_target("ttft=20ms,gap=5ms") as running:
        yield running


def request_lines(log: Path, count: int = 1) -> list[dict[str, Any]]:
    """Wait for so many lines: a request's line is written after its answer."""
    found: list[dict[str, Any]] = []

    def complete() -> bool:
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
        found[:] = [line for line in lines if line["log.logger"] == "tidegate_target.request"]
        return len(found) >= count

    wait_until(complete)
    return found


def test_a_request_is_one_line_with_its_trace_run_counts_and_times(target: ThreadTarget, log: Path) -> None:
    target.post(headers=HEADERS, messages=[{"role": "user", "content": SECRET}], max_tokens=3, stream=True)
    (line,) = request_lines(log)
    expected = {
        "service.name": "tidegate-target",
        "trace.id": TRACE,
        "labels.run_id": "2026-11-24-run",
        "event.outcome": "success",
        "http.response.status_code": 200,
        "url.path": "/v1/chat/completions",
        "gen_ai.usage.input_tokens": 8,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.finish_reasons": ["length"],
        "tidegate.outcome": "ok",
        "tidegate.stream": True,
        "tidegate.prompt.characters": len(SECRET),
        "tidegate.prompt.hash": PromptHasher(b"a key")(SECRET),
    }
    assert expected.items() <= line.items()
    assert 0.019 < line["tidegate.time_to_first_token_seconds"] < line["tidegate.duration_seconds"] < 0.5
    assert line["event.duration"] == pytest.approx(line["tidegate.duration_seconds"] * 1e9)


def test_no_word_of_a_prompt_is_in_the_log_even_when_the_request_is_refused(
    target: ThreadTarget, log: Path
) -> None:
    target.post(messages=[{"role": "user", "content": SECRET}])
    target.post(messages=[{"role": "user", "content": SECRET}], n=7)
    target.post(messages=[{"role": SECRET, "content": "x"}])
    target.post(**{SECRET: 1})
    target.post(model=SECRET)
    assert len(request_lines(log, 5)) == 5
    assert "4111" not in log.read_text()


def test_a_refused_request_says_why(target: ThreadTarget, log: Path) -> None:
    target.post(n=7)
    (line,) = request_lines(log)
    assert (line["event.outcome"], line["tidegate.outcome"]) == ("failure", "invalid")
    assert line["error.message"] == "unsupported_parameter (n)"


@pytest.mark.parametrize("run", ["a b", "x" * 129, 'quote"'])
def test_a_run_id_that_is_not_one_is_left_out(target: ThreadTarget, log: Path, run: str) -> None:
    target.post(headers={"x-tidegate-run": run})
    assert "labels.run_id" not in request_lines(log)[0]


def test_a_failure_is_logged_as_an_error(log: Path) -> None:
    with thread_target("ttft=5ms,error=1") as target:
        target.post()
    assert [line["log.level"] for line in request_lines(log)] == ["error"]
    assert logging.getLogger("tidegate_target").propagate is False


def test_hashes_are_equal_for_equal_prompts_and_keys_only() -> None:
    assert PromptHasher(b"k")("tide") == PromptHasher(b"k")("tide") != PromptHasher(b"k")("tides")
    assert PromptHasher(b"k")("tide") != PromptHasher(b"other")("tide")


def test_without_a_key_in_the_environment_every_process_has_its_own() -> None:
    assert hasher_from_environment({})("tide") != hasher_from_environment({})("tide")
