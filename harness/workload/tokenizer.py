"""How many words make n tokens: measured with the target's tokenizer, or by the word table's calibration."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.workload.words import CHARACTERS_PER_TOKEN, WORDS

_FEWEST_WORDS = 64
"""With fewer words of one token each, prompts would resemble each other too much."""


@dataclass(frozen=True, slots=True)
class Measure:
    """``basis`` is for the report; k ``words`` are ``overhead_tokens`` + k × ``tokens_per_word`` tokens.

    ``first_words`` may begin a text: without a space in front, fewer words are one token.
    """

    basis: str
    words: tuple[str, ...]
    first_words: tuple[str, ...]
    overhead_tokens: int = 0
    tokens_per_word: float = 1.0
    tokenizer: Any = None

    def words_for(self, tokens: int) -> int:
        """Return how many words come nearest to a number of tokens, at least one."""
        return max(1, round((tokens - self.overhead_tokens) / self.tokens_per_word))

    def count_tokens(self, text: str) -> int:
        """Return the tokens of a text: counted by the tokenizer, else from its characters."""
        if self.tokenizer is None:
            return max(1, round(len(text) / CHARACTERS_PER_TOKEN))
        return _count(self.tokenizer, text)


CALIBRATED = Measure("calibrated characters", WORDS, WORDS)


def measure_with(path: Path | None) -> Measure:
    """Return the measure of a tokenizer file (or folder), or the calibrated one for None.

    Raises UsageError when the file is no tokenizer or the package ``tokenizers`` is missing.
    """
    if path is None:
        return CALIBRATED
    tokenizer = _load(path / "tokenizer.json" if path.is_dir() else path)
    words = tuple(word for word in WORDS if _count(tokenizer, f"x {word}") == _count(tokenizer, "x") + 1)
    if len(words) < _FEWEST_WORDS:
        words = WORDS
    first_words = tuple(word for word in words if _count(tokenizer, word) == 1) or words
    name = path.name if path.is_dir() or path.name != "tokenizer.json" else path.parent.name
    once, twice = (_count(tokenizer, " ".join([first_words[0], *words * times])) for times in (1, 2))
    per_word = (twice - once) / len(words)
    overhead = round(once - per_word * (len(words) + 1))
    return Measure(f"tokenizer {name}", words, first_words, overhead, per_word, tokenizer)


def _count(tokenizer: Any, text: str) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


def _load(file: Path) -> Any:
    try:
        tokenizers = importlib.import_module("tokenizers")
    except ImportError:
        raise UsageError(
            f"workload.tokenizer ({file}) needs the package tokenizers: pip install tokenizers"
        ) from None
    try:
        return tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001 -- the package raises bare Exception for every bad file
        raise UsageError(f"workload.tokenizer: {file} is not a tokenizer.json: {error}") from None
