"""A prompt for an engine that takes token ids: the tokenizer's own, whichever way they are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.scenario.model import Rate, Scenario, SharedPrefix, Stage, Target, WorkloadSpec
from harness.workload import build_workload
from harness.workload.token_ids import TokenIds

tokenizers = pytest.importorskip("tokenizers")
WORDS = ("alpha", "beta", "gamma", "delta")


def tokenizer(vocabulary: list[str], *, byte_level: bool = True) -> tokenizers.Tokenizer:
    """Return a tokenizer that knows whole words, as ids in the order of ``vocabulary``."""
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: number for number, word in enumerate(vocabulary)}, unk_token="?")
    )
    if byte_level:
        made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return made


PIECES = ["?", "x", *WORDS, *(f"Ġ{word}" for word in WORDS)]


def test_words_are_looked_up_and_the_first_has_no_space_before_it() -> None:
    ids = TokenIds(tokenizer(PIECES), WORDS)
    assert ids("alpha beta delta") == [2, 7, 9]
    assert ids("beta") == [3]


def test_a_text_with_other_words_is_the_tokenizer_s_work() -> None:
    ids = TokenIds(tokenizer(PIECES), WORDS)
    assert ids("alpha omega") == [2, 0]
    assert ids("") == []


def test_words_that_are_no_single_token_are_never_looked_up() -> None:
    whole = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0, "alpha beta": 1}, unk_token="?"))
    assert TokenIds(whole, WORDS)("alpha beta") == [1]


def scenario(folder: Path, url: str, **workload: object) -> Scenario:
    stage = Stage(name="s", duration=1.0, rate=Rate(1.0, "/s"))
    spec = WorkloadSpec.model_validate({"prompt_tokens": 40, "tokenizer": folder, **workload})
    return Scenario(name="s", target=Target(url=url), workload=spec, stages=(stage,))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a byte-pair tokenizer that has learned the word table."""
    from harness.workload.words import WORDS as TABLE

    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=4000, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator([f"{word} x {word}" for word in TABLE for _ in range(3)], trainer)
    folder = tmp_path_factory.mktemp("tokenizer")
    made.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize("prefix", [None, SharedPrefix(count=3, tokens=10)])
def test_a_grpc_target_is_asked_in_exactly_the_ids_of_the_text(
    trained: Path, prefix: SharedPrefix | None
) -> None:
    over_grpc = build_workload(scenario(trained, "grpc://h:1", shared_prefix=prefix))
    over_http = build_workload(
        scenario(trained, "http://h:1", shared_prefix=prefix).model_copy(
            update={"target": Target(url="http://h:1", api="completions")}
        )
    )
    known = tokenizers.Tokenizer.from_file(str(trained / "tokenizer.json"))
    for seq in range(50):
        asked = over_grpc.ask(seq, 0)
        text = over_http.ask(seq, 0).body["prompt"]
        assert asked.body["prompt"] == known.encode(text, add_special_tokens=False).ids
        assert asked.input_tokens_requested == len(asked.body["prompt"]) == 40


def test_without_a_tokenizer_the_text_is_sent() -> None:
    stage = Stage(name="s", duration=1.0, rate=Rate(1.0, "/s"))
    plain = Scenario(name="s", target=Target(url="grpc://h:1"), stages=(stage,))
    assert isinstance(build_workload(plain).ask(0, 0).body["prompt"], str)
