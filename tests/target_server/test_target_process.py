"""What only a process can show: signals, exit codes, the printed line, what is imported."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.target_server.running import CHAT, ProcessTarget, process_target, read, request_body, wait_until

SCRIPTED = ("--engine", "scripted")


def test_the_url_is_printed_and_the_port_file_holds_the_port(tmp_path: Path) -> None:
    with process_target(tmp_path, *SCRIPTED, "--model", "mine") as target:
        assert target.ask("GET", "/v1/models").json["data"][0]["id"] == "mine"
        target.process.send_signal(signal.SIGTERM)
        printed, _ = target.process.communicate(timeout=10)
    assert printed == f"tidegate-target: scripted engine, model mine, at http://127.0.0.1:{target.port}\n"
    assert target.process.returncode == 0


def test_sigterm_finishes_what_is_open_refuses_what_is_new_and_exits_with_0(tmp_path: Path) -> None:
    with process_target(tmp_path, *SCRIPTED, "--timetable", "ttft=5ms,gap=100ms") as target:
        open_stream = target.send("POST", CHAT, request_body(CHAT, stream=True, max_tokens=15))
        response = open_stream.getresponse()
        target.process.send_signal(signal.SIGTERM)
        wait_until(lambda: target.ask("GET", "/ready").json["status"] == "draining")
        refused = target.post()
        assert (refused.status, refused.error["code"]) == (503, "draining")
        assert refused.headers["connection"] == "close"
        assert target.ask("GET", "/health").status == 200
        assert response.read().endswith(b"data: [DONE]\n\n")
        assert target.process.wait(timeout=5) == 0
    outcomes = [line["tidegate.outcome"] for line in target.log_lines if "tidegate.outcome" in line]
    assert outcomes == ["unavailable", "ok"]


def test_what_outlives_the_grace_period_ends_with_an_error_event(tmp_path: Path) -> None:
    with process_target(tmp_path, *SCRIPTED, "--timetable", "ttft=5ms,gap=60s", "--grace", "0.5") as target:
        streams = [target.send("POST", CHAT, request_body(CHAT, stream=stream)) for stream in (True, False)]
        streamed = streams[0].getresponse()
        target.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert b'"code":"draining"' in streamed.read()
        assert read(streams[1]).status == 503
        assert 0.4 < time.monotonic() - begun < 5
        assert target.process.wait(timeout=5) == 0


def test_a_second_signal_does_not_wait_for_the_grace_period(tmp_path: Path) -> None:
    with process_target(tmp_path, *SCRIPTED, "--timetable", "ttft=5ms,gap=60s") as target:
        stream = target.send("POST", CHAT, request_body(CHAT, stream=True)).getresponse()
        target.process.send_signal(signal.SIGINT)
        wait_until(lambda: target.ask("GET", "/ready").status == 503)
        target.process.send_signal(signal.SIGINT)
        assert target.process.wait(timeout=5) == 0
        stream.close()


def test_the_scripted_target_never_imports_torch() -> None:
    code = (
        "import sys; from target_server.app import compose; from target_server.config import Settings;"
        "compose(Settings(engine='scripted')); print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


@pytest.mark.model
def test_the_official_client_talks_to_the_real_model(tmp_path: Path) -> None:
    openai = pytest.importorskip("openai")
    with process_target(tmp_path, "--engine", "torch", "--model", "smollm2-135m", "--slots", "2") as target:
        client = openai.OpenAI(base_url=f"{target.url}/v1", api_key="none", max_retries=0, timeout=60)
        asked = {"model": "smollm2-135m", "temperature": 0, "max_tokens": 12}
        messages = [{"role": "user", "content": "What is the capital of France?"}]
        whole = client.chat.completions.create(messages=messages, **asked)
        assert "Paris" in whole.choices[0].message.content
        stream = client.chat.completions.create(
            messages=messages, stream=True, stream_options={"include_usage": True}, **asked
        )
        chunks = list(stream)
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == (
            whole.choices[0].message.content
        )
        assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
        assert tokens_counted(target) == 2 * whole.usage.completion_tokens
        assert client.completions.create(prompt="The tide", **asked).choices[0].text
        target.process.send_signal(signal.SIGTERM)
        assert target.process.wait(timeout=20) == 0


def tokens_counted(target: ProcessTarget) -> float | None:
    return target.sample("tidegate_target_output_tokens_total")
