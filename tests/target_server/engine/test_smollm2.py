"""The real model: the engine's answers are those of transformers' ``generate``, token by token."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from target_server.engine.fetch import fetch_model
from target_server.engine.protocol import SamplingParams, Submission
from target_server.engine.sequence import Sequence
from target_server.engine.torch_engine import TorchConfig, TorchEngine
from tests.target_server.engine.helpers import ask, read, text_of

pytestmark = pytest.mark.model

PROMPTS = (
    "The tide",
    "Once upon a time, in a harbour town,",
    "def fibonacci(n):",
    "1 2 3 4 5 6",
    "The gates of the city " * 7,
    "日本の",
    "List three colours:",
    "a",
    "Dear Sir or Madam, " * 3,
    "In 1969",
    "The theory of relativity states that",
    "SELECT * FROM",
)
MAX_TOKENS = 24


class Reference:
    """transformers' own model, on one thread: several would fight the engine of the test before."""

    def __init__(self) -> None:
        path = fetch_model("smollm2-135m")
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        self._model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)

    def generate(self, prompt: str) -> list[int]:
        ids = self._ids(prompt)
        made = self._model.generate(ids, max_new_tokens=MAX_TOKENS, do_sample=False)
        return made[0, ids.shape[1] :].tolist()

    def likeliest(self, prompt: str, tokens: list[int]) -> list[int]:
        """Return the likeliest token after the prompt and after each of ``tokens`` but the last.

        It equals ``tokens`` exactly when greedy decoding makes them; one pass instead of one per token.
        """
        ids = self._ids(prompt)
        with torch.inference_mode():
            logits = self._model(torch.cat([ids, torch.tensor([tokens])], dim=1)).logits[0]
        return logits[ids.shape[1] - 1 : -1].argmax(-1).tolist()

    def _ids(self, prompt: str) -> torch.Tensor:
        return self._tokenizer(prompt, return_tensors="pt").input_ids


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Reference()
    torch.set_num_threads(threads)


@pytest.fixture
def generated(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """The tokens that the engine chooses, by request."""
    tokens: dict[str, list[int]] = {}
    append = Sequence.append

    def remember(self: Sequence, token: int) -> object:
        tokens.setdefault(self.request_id, []).append(token)
        return append(self, token)

    monkeypatch.setattr(Sequence, "append", remember)
    return tokens


def test_tokens_are_generates_alone_and_while_others_join_and_leave(
    reference: Reference, generated: dict[str, list[int]]
) -> None:
    async def main() -> None:
        # Five slots for twelve requests, prompts in chunks of 32: sequences join, leave and move.
        engine = TorchEngine(TorchConfig(dtype="float32", threads=1, slots=5, prefill_tokens_per_step=32))
        await engine.start()
        await read(engine.submit(ask(PROMPTS[0], "alone", max_tokens=MAX_TOKENS)))

        async def later(number: int) -> None:
            await asyncio.sleep(0.05 * number)
            await read(engine.submit(ask(PROMPTS[number], str(number), max_tokens=MAX_TOKENS)))

        cancelled = engine.submit(ask("leaves early", "cancelled", max_tokens=200))
        await asyncio.gather(*map(later, range(6)))
        cancelled.cancel()
        await asyncio.gather(*map(later, range(6, len(PROMPTS))))
        await engine.stop()

    asyncio.run(main())
    for number, prompt in enumerate(PROMPTS):
        tokens = generated[str(number)]
        assert len(tokens) == MAX_TOKENS
        assert tokens == reference.likeliest(prompt, tokens)
    assert generated["alone"] == generated["0"]
    # And by `generate` itself, which takes longer.
    assert generated["9"] == reference.generate(PROMPTS[9])


def test_a_chat_question_is_answered_and_ends_by_itself() -> None:
    async def main() -> None:
        engine = TorchEngine(TorchConfig(dtype="float32", threads=1, slots=1))
        await engine.start()
        question = ({"role": "user", "content": "What is the capital of France?"},)
        deltas = await read(engine.submit(Submission("q", None, question, SamplingParams(max_tokens=40))))
        assert text_of(deltas) == "The capital of France is Paris."
        assert deltas[-1].finish_reason == "stop"
        await engine.stop()

    asyncio.run(main())
