"""Where a request's prompt comes from: made up, or read from a file."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

from harness.scenario.model import SharedPrefix
from harness.scenario.prompts_file import Prompt
from harness.workload.draws import Draws
from harness.workload.text import TextMaker
from harness.workload.tokenizer import Measure


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt, as messages or as one text, with its tokens and the answer's length if the file gives one."""

    messages: list[dict[str, Any]]
    text: str
    input_tokens: int
    max_tokens: int | None = None


class Prompts(Protocol):
    """A source of prompts: a pure function of the request's number and of the wanted length."""

    def prompt(self, seq: int, tokens: int) -> Asked:
        """Return the prompt of request ``seq``, of ``tokens`` tokens where the source decides lengths."""
        ...


class SyntheticPrompts:
    """Random words. A shared prefix counts as part of the prompt; at least one token stays its own."""

    def __init__(self, seed: int, measure: Measure, prefix: SharedPrefix | None) -> None:
        self._measure = measure
        self._maker = TextMaker(seed, measure.words, measure.first_words)
        self._own, self._prefixes = Draws(seed, "prompt"), Draws(seed, "prefix")
        self._choice = Draws(seed, "prefix choice")
        self._prefix = prefix
        self._popularity = [] if prefix is None else zipf_cumulative(prefix.count, prefix.zipf)

    def prompt(self, seq: int, tokens: int) -> Asked:
        """Return the prompt of request ``seq``; the prefix is the system message, or the text's beginning."""
        if self._prefix is None:
            text = self._maker.make(self._own, seq, self._measure.words_for(tokens))
            return Asked([{"role": "user", "content": text}], text, tokens)
        prefix = self._prefix_text(bisect(self._popularity, self._choice.uniform(seq)), self._prefix.tokens)
        own_tokens = max(1, tokens - self._prefix.tokens)
        text = self._maker.make(self._own, seq, self._measure.words_for(own_tokens))
        messages = [{"role": "system", "content": prefix}, {"role": "user", "content": text}]
        return Asked(messages, f"{prefix} {text}", self._prefix.tokens + own_tokens)

    def _prefix_text(self, rank: int, tokens: int) -> str:
        return self._maker.make(self._prefixes, rank, self._measure.words_for(tokens))


class FilePrompts:
    """The prompts of a file, in turn: request i asks line i modulo their number."""

    def __init__(self, prompts: tuple[Prompt, ...], measure: Measure) -> None:
        self._asked = [_asked(prompt, measure) for prompt in prompts]

    @property
    def only(self) -> Asked | None:
        """The one prompt; None where there are several."""
        return self._asked[0] if len(self._asked) == 1 else None

    def prompt(self, seq: int, tokens: int) -> Asked:  # noqa: ARG002 -- the file decides the length
        """Return the prompt of request ``seq``."""
        return self._asked[seq % len(self._asked)]


def zipf_cumulative(count: int, exponent: float) -> list[float]:
    """Return the cumulative popularity of ranks 1 … count, each ∝ 1 / rank^exponent; the last is 1."""
    weights = list(accumulate(rank**-exponent for rank in range(1, count + 1)))
    # bisect must never run past the last rank, so its bound is 1 exactly.
    return [weight / weights[-1] for weight in weights[:-1]] + [1.0]


def _asked(prompt: Prompt, measure: Measure) -> Asked:
    text = prompt.content()
    messages = [{"role": "user", "content": text}] if prompt.messages is None else list(prompt.messages)
    return Asked(messages, text, measure.count_tokens(text), prompt.max_tokens)
