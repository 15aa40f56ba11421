"""A prompts file is read whole and strictly, before any load."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.scenario.prompts_file import read_prompts
from tests.harness.scenario.scenario_files import SMALLEST, mistakes_of, write


def test_prompts_and_messages_are_read_in_order(tmp_path: Path) -> None:
    lines = (
        '{"prompt": "hello", "max_tokens": 5}\n\n'
        '{"messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]}\n'
    )
    first, second = read_prompts(write(tmp_path, lines))
    assert (first.text, first.messages, first.max_tokens) == ("hello", None, 5)
    assert second.content() == "be brief\nhi"
    assert second.max_tokens is None


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "{}",
        '{"prompt": "a", "messages": []}',
        '{"messages": []}',
        '{"messages": [{"role": "user"}]}',
        '{"prompt": 5}',
        '{"prompt": "a", "max_tokens": 0}',
        '{"prompt": "a", "max_token": 3}',
        '["prompt"]',
    ],
)
def test_a_line_that_is_no_prompt_is_a_mistake_with_its_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_prompts(write(tmp_path, f'{{"prompt": "good"}}\n{line}\n'))
    assert [mistake.line for mistake in caught.value.mistakes] == [2]


def test_a_file_without_prompts_is_a_mistake_of_the_scenario(tmp_path: Path) -> None:
    write(tmp_path, "\n", "prompts.jsonl")
    text = SMALLEST + "workload: {prompts_file: prompts.jsonl}\n"
    assert mistakes_of(write(tmp_path, text))["the file"].given == "no prompts"


def test_prompts_of_a_file_have_no_shared_prefix(tmp_path: Path) -> None:
    write(tmp_path, '{"prompt": "a"}\n', "prompts.jsonl")
    text = SMALLEST + "workload: {prompts_file: prompts.jsonl, shared_prefix: {count: 1, tokens: 1}}\n"
    assert mistakes_of(write(tmp_path, text))["workload.shared_prefix"].allowed == "one of the two"
