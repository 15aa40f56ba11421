"""With a tokenizer, prompts have exactly the tokens asked for, as that tokenizer counts them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.scenario.model import Rate, Scenario, Stage, WorkloadSpec
from harness.workload import build_workload
from harness.workload.tokenizer import CALIBRATED, measure_with
from harness.workload.words import WORDS
from tests.harness.scenario.scenario_files import write

tokenizers = pytest.importorskip("tokenizers")


def byte_level(folder: Path, words: tuple[str, ...], vocabulary: int = 2000) -> Path:
    """Train a byte-level BPE tokenizer, as GPT-2's, Llama 3's and SmolLM's are, on some words."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f"x {word}" for word in words] * 3 + list(words[:40]) * 9, trainer)
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def tokens_made(path: Path, tokens: int) -> list[int]:
    spec = WorkloadSpec(prompt_tokens=tokens, tokenizer=path)
    stages = (Stage(name="a", duration=1.0, rate=Rate(1.0)),)
    workload = build_workload(Scenario(name="w", workload=spec, stages=stages))
    tokenizer = tokenizers.Tokenizer.from_file(str(path / "tokenizer.json"))
    texts = [workload.ask(seq, 0).body["messages"][0]["content"] for seq in range(20)]
    return [len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts]


@pytest.mark.parametrize("tokens", [16, 100, 1000])
def test_a_tokenizer_that_knows_the_words_counts_what_was_asked_for(tmp_path: Path, tokens: int) -> None:
    assert tokens_made(byte_level(tmp_path / "bpe", WORDS), tokens) == [tokens] * 20


def test_only_words_of_one_token_are_used(tmp_path: Path) -> None:
    measure = measure_with(byte_level(tmp_path / "bpe", WORDS[:100]))
    assert set(WORDS[:100]) <= set(measure.words)
    assert len(measure.words) < 256
    assert measure.tokens_per_word == pytest.approx(1.0)


def test_a_tokenizer_that_knows_few_words_is_measured_and_met_in_the_mean(tmp_path: Path) -> None:
    folder = byte_level(tmp_path / "bytes", (), vocabulary=256)
    measure = measure_with(folder)
    assert measure.tokens_per_word == pytest.approx(len(" " + " ".join(WORDS)) / 256, rel=1e-6)
    made = tokens_made(folder, 2000)
    assert sum(made) / len(made) == pytest.approx(2000, rel=0.03)


def test_the_report_can_name_the_tokenizer(tmp_path: Path) -> None:
    folder = byte_level(tmp_path / "my-model", WORDS)
    assert measure_with(folder).basis == "tokenizer my-model"
    assert measure_with(folder / "tokenizer.json").basis == "tokenizer my-model"
    assert measure_with(None).basis == "calibrated characters"


def test_texts_from_a_file_are_counted_by_the_tokenizer(tmp_path: Path) -> None:
    measure = measure_with(byte_level(tmp_path / "bytes", (), vocabulary=256))
    assert measure.count_tokens("twelve chars") == 12
    assert CALIBRATED.count_tokens("twelve chars") == 2


def test_a_file_that_is_no_tokenizer_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is not a tokenizer\.json"):
        measure_with(write(tmp_path, "{}", "tokenizer.json"))


def test_a_missing_package_is_answered_with_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match="pip install tokenizers"):
        measure_with(write(tmp_path, "{}", "tokenizer.json"))
