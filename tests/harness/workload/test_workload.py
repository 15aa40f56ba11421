"""A request is a pure function of the scenario, the seed and its number."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scenario.model import (
    Lognormal,
    Rate,
    Scenario,
    SharedPrefix,
    Stage,
    Target,
    TraceReplay,
    WorkloadSpec,
)
from harness.workload import Workload, build_workload
from harness.workload.words import CHARACTERS_PER_TOKEN, WORDS
from tests.harness.scenario.scenario_files import write
from tests.harness.scenario.trace_samples import GENERIC

STAGES = (Stage(name="a", duration=10.0, rate=Rate(5.0)),)


def workload_of(seed: int = 1, target: Target | None = None, **spec: Any) -> Workload:
    scenario = Scenario(
        name="w", seed=seed, target=target or Target(model="m"), workload=WorkloadSpec(**spec), stages=STAGES
    )
    return build_workload(scenario)


def user_text(workload: Workload, seq: int, **lengths: int) -> str:
    return str(workload.ask(seq, 0, **lengths).body["messages"][-1]["content"])


def test_a_chat_request_has_the_openai_fields_and_no_others() -> None:
    body = workload_of(prompt_tokens=3, output_tokens=7).ask(0, 0).body
    (message,) = body.pop("messages")
    assert message["role"] == "user"
    assert len(message["content"].split()) == 3
    assert body == {
        "model": "m",
        "max_tokens": 7,
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_completion_without_streaming_has_a_prompt_and_no_stream_options() -> None:
    target = Target(model="m", api="completions", stream=False, temperature=0.5, ignore_eos=True)
    body = workload_of(target=target, prompt_tokens=2, output_tokens=1).ask(0, 0).body
    assert len(body.pop("prompt").split()) == 2
    assert body == {"model": "m", "max_tokens": 1, "temperature": 0.5, "stream": False, "ignore_eos": True}


def test_without_a_model_the_body_names_none() -> None:
    assert "model" not in workload_of(target=Target()).ask(0, 0).body


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**63 - 1), order=st.permutations(range(6)))
def test_requests_do_not_depend_on_the_order_or_the_process_they_are_asked_in(
    seed: int, order: list[int]
) -> None:
    spec = {"prompt_tokens": Lognormal(median=20, sigma=1), "output_tokens": Lognormal(median=9, sigma=1)}
    one, other = workload_of(seed, **spec), workload_of(seed, **spec)
    in_turn = [one.ask(seq, 0) for seq in range(6)]
    assert [other.ask(seq, 0) for seq in order] == [in_turn[seq] for seq in order]


def test_another_process_makes_the_same_requests() -> None:
    """Python's own hash() differs between processes; nothing may depend on it."""
    code = (
        "import json; from tests.harness.workload.test_workload import workload_of, SharedPrefix;"
        "w = workload_of(5, prompt_tokens=40, shared_prefix=SharedPrefix(count=3, tokens=20, zipf=1.0));"
        "print(json.dumps([w.ask(i, 0).body for i in range(5)]))"
    )
    root = Path(__file__).resolve().parents[3]
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, check=True, text=True
    )
    here = workload_of(5, prompt_tokens=40, shared_prefix=SharedPrefix(count=3, tokens=20, zipf=1.0))
    assert json.loads(output.stdout) == [here.ask(seq, 0).body for seq in range(5)]


def test_another_seed_makes_other_requests() -> None:
    one, other = workload_of(1, prompt_tokens=30), workload_of(2, prompt_tokens=30)
    assert all(user_text(one, seq) != user_text(other, seq) for seq in range(100))


def test_no_two_prompts_begin_alike_so_that_no_prefix_cache_can_help() -> None:
    workload = workload_of(prompt_tokens=64)
    beginnings = {tuple(user_text(workload, seq).split()[:8]) for seq in range(20_000)}
    assert len(beginnings) == 20_000


@pytest.mark.parametrize("tokens", [1, 2, 7, 8, 9, 100, 4096, 65_535, 65_536, 65_537, 200_000])
def test_a_prompt_of_n_tokens_has_n_words_of_the_table(tokens: int) -> None:
    workload = workload_of(prompt_tokens=tokens)
    for seq in range(3):
        words = user_text(workload, seq).split(" ")
        assert len(words) == tokens
        assert set(words) <= set(WORDS)
    assert workload.ask(0, 0).input_tokens_requested == tokens
    assert workload.prompt_length_basis == "calibrated characters"


def test_the_word_table_has_256_distinct_words_and_its_calibration_is_theirs() -> None:
    assert len(set(WORDS)) == len(WORDS) == 256
    assert pytest.approx(len(" " + " ".join(WORDS)) / 256) == CHARACTERS_PER_TOKEN


def test_lognormal_lengths_have_the_median_and_the_spread_asked_for() -> None:
    """9,000 draws: the median of ln x is known to 0.014 sigma, its deviation to 0.8 %."""
    workload = workload_of(prompt_tokens=5, output_tokens=Lognormal(median=200, sigma=0.8))
    tokens = np.array([workload.ask(seq, 0).max_tokens for seq in range(9000)])
    assert np.median(tokens) == pytest.approx(200, rel=0.03)
    assert np.log(tokens).std() == pytest.approx(0.8, rel=0.03)


def test_lognormal_lengths_stay_within_their_bounds() -> None:
    workload = workload_of(prompt_tokens=5, output_tokens=Lognormal(median=10, sigma=2, min=8, max=16))
    tokens = [workload.ask(seq, 0).max_tokens for seq in range(500)]
    assert (min(tokens), max(tokens)) == (8, 16)


def test_an_absurd_spread_does_not_overflow() -> None:
    workload = workload_of(prompt_tokens=5, output_tokens=Lognormal(median=1e7, sigma=5))
    assert all(1 <= workload.ask(seq, 0).max_tokens < 2**31 for seq in range(2000))


def test_input_and_output_lengths_are_independent() -> None:
    spec = Lognormal(median=500, sigma=1)
    workload = workload_of(prompt_tokens=spec, output_tokens=spec)
    asks = [workload.ask(seq, 0) for seq in range(4000)]
    pairs = np.log([(ask.input_tokens_requested, ask.max_tokens) for ask in asks])
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.05


def test_the_traces_lengths_are_used_where_they_are_asked_for_and_only_there() -> None:
    both = workload_of(prompt_tokens=11, output_tokens=4)
    ask = both.ask(0, 0, 77, 88)
    assert (ask.input_tokens_requested, ask.max_tokens) == (11, 4)


def replay_workload(tmp_path: Path) -> Workload:
    stage = Stage(name="r", duration=10.0, trace=TraceReplay(file=write(tmp_path, GENERIC)))
    spec = WorkloadSpec(prompt_tokens="trace", output_tokens="trace")
    return build_workload(Scenario(name="w", workload=spec, stages=(stage,)))


def test_a_replay_asks_for_the_traces_lengths(tmp_path: Path) -> None:
    ask = replay_workload(tmp_path).ask(5, 0, 77, 88)
    assert (ask.input_tokens_requested, ask.max_tokens, ask.body["max_tokens"]) == (77, 88, 88)
    assert len(ask.body["messages"][0]["content"].split()) == 77


def test_a_traced_length_of_zero_becomes_one_token(tmp_path: Path) -> None:
    ask = replay_workload(tmp_path).ask(5, 0, 0, 0)
    assert (ask.input_tokens_requested, ask.max_tokens) == (1, 1)


def test_outside_the_plan_a_replay_asks_for_the_windows_median_lengths(tmp_path: Path) -> None:
    ask = replay_workload(tmp_path).ask(0, 0, None, None)
    assert (ask.input_tokens_requested, ask.max_tokens) == (20, 2)


def prefixes(workload: Workload, count: int) -> list[str]:
    return [workload.ask(seq, 0).body["messages"][0]["content"] for seq in range(count)]


def test_a_shared_prefix_is_the_system_message_and_part_of_the_length() -> None:
    workload = workload_of(prompt_tokens=50, shared_prefix=SharedPrefix(count=3, tokens=30))
    body, asked = workload.ask(0, 0).body, workload.ask(0, 0).input_tokens_requested
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert [len(message["content"].split()) for message in body["messages"]] == [30, 20]
    assert asked == 50
    assert len(set(prefixes(workload, 200))) == 3


def test_a_completion_begins_with_the_shared_prefix() -> None:
    prefix = SharedPrefix(count=1, tokens=30)
    completion = workload_of(target=Target(api="completions"), prompt_tokens=50, shared_prefix=prefix)
    chat = workload_of(prompt_tokens=50, shared_prefix=prefix)
    text = completion.ask(9, 0).body["prompt"]
    assert text.startswith(chat.ask(9, 0).body["messages"][0]["content"] + " ")
    assert len(text.split()) == 50


def test_a_prompt_shorter_than_its_prefix_keeps_one_token_of_its_own() -> None:
    workload = workload_of(
        prompt_tokens=Lognormal(median=5, sigma=0), shared_prefix=SharedPrefix(count=1, tokens=30)
    )
    assert workload.ask(0, 0).input_tokens_requested == 31


@pytest.mark.parametrize("zipf", [0.0, 1.0, 1.5])
def test_prefixes_are_asked_for_by_zipfs_law(zipf: float) -> None:
    """20,000 draws of 5 prefixes: the standard error of a share is at most 0.0035."""
    workload = workload_of(prompt_tokens=9, shared_prefix=SharedPrefix(count=5, tokens=8, zipf=zipf))
    _, counts = np.unique(prefixes(workload, 20_000), return_counts=True)
    weights = np.array([rank**-zipf for rank in range(1, 6)])
    assert np.sort(counts)[::-1] / 20_000 == pytest.approx(weights / weights.sum(), abs=0.012)


def test_prompts_of_a_file_are_asked_in_turn(tmp_path: Path) -> None:
    lines = (
        '{"prompt": "twelve chars"}\n'
        '{"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],'
        ' "max_tokens": 3}\n'
    )
    file = write(tmp_path, lines)
    chat = workload_of(prompts_file=file, output_tokens=9)
    assert chat.ask(2, 0).body["messages"] == [{"role": "user", "content": "twelve chars"}]
    assert chat.ask(2, 0).input_tokens_requested == round(12 / CHARACTERS_PER_TOKEN)
    assert (chat.ask(0, 0).max_tokens, chat.ask(1, 0).max_tokens) == (9, 3)
    assert [message["content"] for message in chat.ask(1, 0).body["messages"]] == ["a", "b"]
    completion = workload_of(target=Target(api="completions"), prompts_file=file)
    assert completion.ask(1, 0).body["prompt"] == "a\nb"


def test_a_request_is_made_in_less_than_60_microseconds() -> None:
    """The load loop makes it at send time. The best of some rounds: other work on the machine only adds."""
    spec = {
        "prompt_tokens": Lognormal(median=1000, sigma=0.5),
        "output_tokens": Lognormal(median=99, sigma=1),
    }
    workload = workload_of(**spec, shared_prefix=SharedPrefix(count=100, tokens=200))
    seconds = []
    for _ in range(12):
        start = time.process_time()
        for seq in range(300):
            workload.ask(seq, 0)
        seconds.append((time.process_time() - start) / 300)
    assert min(seconds) < 60e-6
