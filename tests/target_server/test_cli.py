import re
import socket
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from target_server.app import serve
from target_server.cli import build_cli
from target_server.config import Settings

TORCH_ONLY = ["--threads", "2", "--device", "cpu", "--dtype", "float32"]


def invoke(*options: str) -> Result:
    """Run the real command; nothing here gets as far as serving."""
    return CliRunner().invoke(build_cli(serve), ["serve", "--port", "0", *options], env={"COLUMNS": "200"})


def said(result: Result) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", result.output)


def test_every_option_reaches_the_settings_and_the_exit_code_is_servings() -> None:
    seen: list[Settings] = []

    def keep(settings: Settings) -> int:
        seen.append(settings)
        return 7

    options = ["--engine", "scripted", "--model", "m", "--host", "::1", "--port", "81", "--port-file", "p"]
    options += ["--slots", "3", "--queue", "0", "--max-sequence-length", "99", *TORCH_ONLY]
    options += ["--timetable", "ttft=1ms", "--grace", "2.5", "--log-file", "l"]
    assert CliRunner().invoke(build_cli(keep), ["serve", *options]).exit_code == 7
    assert seen == [
        Settings(
            engine="scripted", model="m", host="::1", port=81, port_file=Path("p"), slots=3, queue=0,
            max_sequence_length=99, threads=2, device="cpu", dtype="float32", timetable="ttft=1ms",
            grace_seconds=2.5, log_file=Path("l"),
        )
    ]  # fmt: skip


def test_defaults_of_the_command_line_are_those_of_the_settings() -> None:
    seen: list[Settings] = []
    CliRunner().invoke(build_cli(lambda settings: seen.append(settings) or 0), ["serve"])
    assert seen == [Settings()]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--engine", "scripted", "--timetable", "ttft=fast"], "ttft"),
        (["--engine", "scripted", "--timetable", "speed=1"], "unknown key 'speed'"),
        (["--engine", "torch", "--timetable", "ttft=1ms"], "scripted engine"),
        (["--slots", "0"], "--slots"),
        (["--engine", "magic"], "--engine"),
        (["--grace", "-1"], "--grace"),
        (["--speed", "9"], "--speed"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_2(options: list[str], word: str) -> None:
    result = invoke(*options)
    assert result.exit_code == 2
    assert word in said(result)
    assert isinstance(result.exception, SystemExit)  # nothing else escaped: no traceback


def test_a_taken_port_is_a_sentence_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = invoke("--engine", "scripted", "--port", str(taken.getsockname()[1]))
    assert (result.exit_code, "in use" in said(result)) == (2, True)


@pytest.mark.model
def test_fetch_model_prints_the_folder_that_holds_the_model() -> None:
    result = CliRunner().invoke(build_cli(serve), ["fetch-model", "smollm2-135m"])
    assert result.exit_code == 0
    assert (Path(result.output.strip()) / "config.json").exists()
