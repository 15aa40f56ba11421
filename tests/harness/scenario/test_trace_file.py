"""Traces of three formats read to seconds and tokens; what cannot be replayed is a mistake with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import UsageError
from harness.scenario.load import load_scenario
from harness.scenario.trace_file import read_trace
from tests.harness.scenario.scenario_files import mistakes_of, write
from tests.harness.scenario.trace_samples import AZURE, GENERIC, MOONCAKE, real_trace


def test_azure_times_count_from_the_first_request_across_midnight(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path, AZURE, "a.csv"), "azure")
    assert trace.offsets_seconds == pytest.approx([0, 0.5, 0.7500001, 11.0], abs=1e-6)
    assert trace.input_tokens.tolist() == [4808, 110, 34, 7433]
    assert trace.output_tokens.tolist() == [10, 27, 12, 14]


def test_mooncake_times_are_milliseconds(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path, MOONCAKE, "m.jsonl"), "mooncake")
    assert trace.offsets_seconds.tolist() == [0.0, 0.0, 3.5]
    assert trace.input_tokens.tolist() == [6758, 7322, 12]


def test_generic_rows_are_sorted_by_time_with_their_tokens(tmp_path: Path) -> None:
    trace = read_trace(write(tmp_path, GENERIC, "g.csv"), "generic")
    assert trace.offsets_seconds.tolist() == [0.0, 1.25, 2.5]
    assert trace.input_tokens.tolist() == [20, 30, 10]
    assert trace.output_tokens.tolist() == [2, 3, 1]


@pytest.mark.parametrize(
    "text", ["2024-05-10 00:00:01.5", "2024-05-10T00:00:01.5Z", "2024-05-10 02:00:01.5+02:00"]
)
def test_dates_are_read_with_and_without_time_zone(tmp_path: Path, text: str) -> None:
    rows = f"timestamp,input_tokens,output_tokens\n2024-05-10T00:00:00Z,1,1\n{text},1,1\n"
    assert read_trace(write(tmp_path, rows)).offsets_seconds == pytest.approx([0, 1.5], abs=1e-6)


@pytest.mark.parametrize("sample", [AZURE, MOONCAKE, GENERIC])
def test_the_format_is_recognized(tmp_path: Path, sample: str) -> None:
    assert len(read_trace(write(tmp_path, sample))) in (3, 4)


def test_line_ends_and_byte_order_marks_of_other_systems_are_read(tmp_path: Path) -> None:
    file = tmp_path / "windows.csv"
    file.write_bytes(b"\xef\xbb\xbf" + GENERIC.replace("\n", "\r\n").encode())
    assert len(read_trace(file)) == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        ("\n\n", None),
        ("timestamp,input_tokens,output_tokens\n", None),
        ("time,in,out\n1,2,3\n", 1),
        ("timestamp,input_tokens,output_tokens\n1,2,3\n1,two,3\n", 3),
        ("timestamp,input_tokens,output_tokens\n1,2\n", 2),
        ("timestamp,input_tokens,output_tokens\n1,-2,3\n", 2),
        ("timestamp,input_tokens,output_tokens\nnan,2,3\n", 2),
        ("timestamp,input_tokens,output_tokens\n1,99999999999,3\n", 2),
        ("timestamp,input_tokens,output_tokens\nyesterday,2,3\n", 2),
        ('{"timestamp": 0, "input_length": 1, "output_length": 1}\n{"timestamp": 0}\n', 2),
        ('{"timestamp": 0, "input_length": 1.5, "output_length": 1}\n', 1),
        ("{broken\n", 1),
    ],
)
def test_what_cannot_be_replayed_is_a_mistake_with_its_line(
    tmp_path: Path, text: str, line: int | None
) -> None:
    with pytest.raises(UsageError) as caught:
        read_trace(write(tmp_path, text))
    assert caught.value.mistakes[0].line == line


def test_a_named_format_is_held_to(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="TIMESTAMP,ContextTokens,GeneratedTokens"):
        read_trace(write(tmp_path, GENERIC), "azure")


def test_a_window_holds_its_start_and_not_its_end(tmp_path: Path) -> None:
    window = read_trace(write(tmp_path, GENERIC)).window(1.25, 1.25)
    assert (window.offsets_seconds.tolist(), window.input_tokens.tolist()) == ([0.0], [30])


REPLAY = """
name: replay
stages:
  - name: replay
    duration: 10s
    trace: {file: t.csv, start: START}
"""


def test_a_replay_stage_needs_a_trace_that_holds_requests(tmp_path: Path) -> None:
    file = write(tmp_path, REPLAY.replace("START", "0s"))
    assert mistakes_of(file)["stages[0].trace.file"].allowed == "a file that exists"
    write(tmp_path, "", "t.csv")
    assert mistakes_of(file)["the trace"].given == "an empty file"
    write(tmp_path, GENERIC, "t.csv")
    assert load_scenario(file).stages[0].trace is not None


def test_a_window_behind_the_traces_end_is_a_mistake(tmp_path: Path) -> None:
    write(tmp_path, GENERIC, "t.csv")
    found = mistakes_of(write(tmp_path, REPLAY.replace("START", "1h")))["stages[0].trace"]
    assert found.allowed == "a window in which requests arrive (the trace lasts 2.5s)"


def test_arrivals_beside_a_trace_are_a_mistake(tmp_path: Path) -> None:
    write(tmp_path, GENERIC, "t.csv")
    text = REPLAY.replace("START", "0s") + "    arrivals: poisson\n"
    assert "no arrivals beside trace" in mistakes_of(write(tmp_path, text))["stages[0]"].allowed


def test_another_trace_can_be_given_for_the_files(tmp_path: Path) -> None:
    other = write(tmp_path, AZURE, "elsewhere/other.csv")
    scenario = load_scenario(write(tmp_path, REPLAY.replace("START", "0s")), trace=other)
    assert scenario.stages[0].trace is not None
    assert scenario.stages[0].trace.file == other


def test_the_real_azure_trace_has_the_rows_and_the_length_that_are_published() -> None:
    trace = read_trace(real_trace("azure-llm-2023-code.csv"))
    assert len(trace) == 8819
    assert trace.offsets_seconds[-1] / 60 == pytest.approx(57.3, abs=0.5)
    assert np.all(np.diff(trace.offsets_seconds) >= 0)


def test_the_real_mooncake_trace_is_read() -> None:
    trace = read_trace(real_trace("mooncake-conversation.jsonl"))
    assert len(trace) == 12031
    assert trace.offsets_seconds[-1] == pytest.approx(3536.999)
