from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from target_server.engine.protocol import EngineFailed, EngineFull, PromptTooLong, Submission
from target_server.engine.scheduler import Batch
from target_server.engine.torch_engine import LoadedModel, TorchConfig, TorchEngine, load_model
from tests.target_server.engine.helpers import Diary, ask, read, text_of

Body = Callable[[TorchEngine], Awaitable[None]]


def play(
    model: Path,
    body: Body,
    *,
    observer: Diary | None = None,
    load: Callable[[TorchConfig], LoadedModel] = load_model,
    **config: Any,
) -> None:
    async def main() -> None:
        engine = TorchEngine(
            TorchConfig(**{"model": str(model), "dtype": "float32", "threads": 1, "slots": 4, **config}),
            observer=observer,
            load=load,
        )
        await engine.start()
        await body(engine)
        await engine.stop()

    asyncio.run(main())


@cache
def _reference_parts(model: Path) -> tuple[Any, Any]:
    return AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(
        model, dtype=torch.float32
    )


@cache
def reference(model: Path, prompt: str, max_tokens: int) -> tuple[str, int]:
    """Return text and token count that transformers' ``generate`` makes of the prompt alone."""
    tokenizer, network = _reference_parts(model)
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    made = network.generate(ids, max_new_tokens=max_tokens, do_sample=False)[0, ids.shape[1] :]
    return tokenizer.decode(made, skip_special_tokens=True).rstrip("\ufffd"), len(made)


PROMPTS = ["tide", "a", "The gate opens at noon. " * 3, "0123456789", "日本", "x" * 40, "Dear Sir,", "?!"]


@pytest.mark.parametrize(("slots", "chunk"), [(1, 256), (3, 7), (8, 64)])
def test_greedy_answers_equal_generates_whoever_shares_the_batch(
    tiny_model: Path, slots: int, chunk: int
) -> None:
    async def body(engine: TorchEngine) -> None:
        async def later(number: int, prompt: str) -> tuple[str, int]:
            await asyncio.sleep(0.004 * number)
            deltas = await read(engine.submit(ask(prompt, str(number), max_tokens=6 + 3 * number)))
            return text_of(deltas).rstrip("\ufffd"), deltas[-1].completion_tokens

        got = await asyncio.gather(*(later(number, prompt) for number, prompt in enumerate(PROMPTS)))
        expected = [reference(tiny_model, prompt, 6 + 3 * number) for number, prompt in enumerate(PROMPTS)]
        assert got == expected

    play(tiny_model, body, slots=slots, prefill_tokens_per_step=chunk)


def test_the_sum_of_deltas_is_the_count_and_the_observer_hears_the_life_in_order(tiny_model: Path) -> None:
    async def body(engine: TorchEngine) -> None:
        deltas = await read(engine.submit(ask("abc", max_tokens=7, ignore_eos=True)))
        assert sum(delta.tokens for delta in deltas) == deltas[-1].completion_tokens == 7
        assert deltas[-1].finish_reason == "length"
        assert {delta.prompt_tokens for delta in deltas} == {3}
        stats = engine.stats()
        assert (stats.prefill_tokens_total, stats.decode_tokens_total, stats.steps_total) == (3, 7, 7)
        assert (stats.finished_total, stats.running, stats.kv_used_share) == (1, 0, 0.0)

    diary = Diary()
    play(tiny_model, body, observer=diary)
    assert diary.calls["r"] == ["queued", "started", "prefilled 3", "first_token", "finished"]
    assert diary.instants_ns["r"] == sorted(diary.instants_ns["r"])
    assert diary.endings["r"] == ("length", 7)
    assert diary.batch_sizes == [1] * 7


def test_a_stop_string_ends_the_answer_before_itself(tiny_model: Path) -> None:
    async def body(engine: TorchEngine) -> None:
        whole = text_of(await read(engine.submit(ask("abc", max_tokens=30, ignore_eos=True))))
        stop = whole[5:8]
        deltas = await read(engine.submit(ask("abc", max_tokens=30, ignore_eos=True, stop=(stop,))))
        assert text_of(deltas) == whole.split(stop)[0]
        assert deltas[-1].finish_reason == "stop"

    play(tiny_model, body)


def test_the_models_end_token_stops_the_answer_unless_ignored(tiny_model: Path) -> None:
    async def body(engine: TorchEngine) -> None:
        params = {"max_tokens": 100, "temperature": 3.0, "seed": 1}  # hot enough to meet the end token
        answers = [await read(engine.submit(ask("abc", **{**params, "seed": seed}))) for seed in range(5)]
        ended = [answer[-1] for answer in answers if answer[-1].finish_reason == "stop"]
        assert ended
        assert all(last.completion_tokens < 100 for last in ended)
        on = await read(engine.submit(ask("abc", ignore_eos=True, **params)))
        assert (on[-1].finish_reason, on[-1].completion_tokens) == ("length", 100)

    play(tiny_model, body)


def test_a_seeded_answer_is_the_same_alone_and_in_company(tiny_model: Path) -> None:
    async def body(engine: TorchEngine) -> None:
        drawn = ask("abc", max_tokens=12, temperature=1.0, top_p=0.9, seed=3, ignore_eos=True)
        alone = text_of(await read(engine.submit(drawn)))
        others = [engine.submit(ask(prompt, max_tokens=20, temperature=1.0)) for prompt in PROMPTS[:3]]
        company = text_of(await read(engine.submit(drawn)))
        for other in others:
            other.cancel()
        assert company == alone

    play(tiny_model, body)


def test_beyond_slots_and_queue_a_request_is_refused_at_once(tiny_model: Path) -> None:
    async def body(engine: TorchEngine) -> None:
        streams = [engine.submit(ask(request_id=str(i), max_tokens=60, ignore_eos=True)) for i in range(3)]
        with pytest.raises(EngineFull) as full:
            engine.submit(ask())
        assert 1 <= full.value.retry_after_seconds <= 60
        answers = await asyncio.gather(*map(read, streams))
        assert [answer[-1].completion_tokens for answer in answers] == [60, 60, 60]
        assert engine.stats().rejected_total == 1

    play(tiny_model, body, slots=2, queue_limit=1)


def test_cancelling_frees_slot_and_queue_for_others(tiny_model: Path) -> None:
    async def body(engine: TorchEngine) -> None:
        running = engine.submit(ask(request_id="running", max_tokens=100, ignore_eos=True))
        await anext(running)
        waiting = engine.submit(ask(request_id="waiting", max_tokens=2))
        waiting.cancel()
        running.cancel()
        assert (await read(engine.submit(ask(max_tokens=3, ignore_eos=True))))[-1].completion_tokens == 3
        assert engine.stats().cancelled_total == 2
        assert (engine.stats().running, engine.stats().waiting) == (0, 0)

    diary = Diary()
    play(tiny_model, body, slots=1, observer=diary)
    assert diary.endings["waiting"] == ("cancelled", 0)
    assert diary.endings["running"][0] == "cancelled"
    assert diary.endings["running"][1] < 100


def test_a_request_beyond_the_sequence_length_is_refused_with_its_numbers(tiny_model: Path) -> None:
    async def body(engine: TorchEngine) -> None:
        assert engine.max_sequence_length == 128  # what the model's positions allow, not what was asked for
        with pytest.raises(PromptTooLong) as refused:
            engine.submit(ask("x" * 120, max_tokens=9))
        assert (refused.value.prompt_tokens, refused.value.max_tokens) == (120, 9)
        fits = await read(engine.submit(ask("x" * 120, max_tokens=8, ignore_eos=True)))
        assert fits[-1].completion_tokens == 8

    play(tiny_model, body, max_sequence_length=4096)


class Troubled:
    """A model that lives through something before each step; steps count from 1, the start's own."""

    def __init__(self, model: LoadedModel, step: Callable[[int], None]) -> None:
        self._model = model
        self._step = step
        self._steps = 0
        self.cache = model.cache
        self.tokenizer = model.tokenizer
        self.end_tokens = model.end_tokens
        self.max_sequence_length = model.max_sequence_length

    def step(self, batch: Batch) -> torch.Tensor:
        self._steps += 1
        self._step(self._steps)
        return self._model.step(batch)


def stumbling_at(failing: int) -> Callable[[TorchConfig], LoadedModel]:
    def stumble(step: int) -> None:
        if step == failing:
            raise RuntimeError("out of memory")

    return lambda config: Troubled(load_model(config), stumble)


def test_a_failed_step_fails_those_in_it_and_the_loop_goes_on(tiny_model: Path) -> None:
    async def body(engine: TorchEngine) -> None:
        streams = [engine.submit(ask(request_id=str(i), max_tokens=5, ignore_eos=True)) for i in range(3)]
        answers = await asyncio.gather(*map(read, streams), return_exceptions=True)
        failed = [answer for answer in answers if isinstance(answer, EngineFailed)]
        assert 1 <= len(failed) <= 2
        assert all("out of memory" in str(error) for error in failed)
        assert isinstance(answers[2], list)  # it was waiting, so it was not touched
        assert (await read(engine.submit(ask(ignore_eos=True))))[-1].completion_tokens == 4
        stats = engine.stats()
        assert (stats.step_failures_total, stats.failed_total) == (1, len(failed))
        assert stats.finished_total == 4 - len(failed)

    play(tiny_model, body, slots=2, load=stumbling_at(4))


def test_a_start_that_fails_says_why(tiny_model: Path) -> None:
    async def main() -> None:
        engine = TorchEngine(TorchConfig(model=str(tiny_model), dtype="float33"))
        with pytest.raises(ValueError, match="float33"):
            await engine.start()
        assert not engine.ready
        broken = TorchEngine(TorchConfig(model=str(tiny_model)), load=stumbling_at(1))
        with pytest.raises(RuntimeError, match="out of memory"):
            await broken.start()
        with pytest.raises(EngineFailed):
            broken.submit(ask())

    asyncio.run(main())


def test_stopping_fails_open_streams(tiny_model: Path) -> None:
    async def body(engine: TorchEngine) -> None:
        streams = [engine.submit(ask(max_tokens=100, ignore_eos=True)) for _ in range(3)]
        await anext(streams[0])
        await engine.stop()
        for stream in streams:
            with pytest.raises(EngineFailed, match="stopped"):
                await read(stream)
        with pytest.raises(EngineFailed):
            engine.submit(ask())

    play(tiny_model, body, slots=1)


def test_the_event_loop_turns_while_a_step_takes_long(tiny_model: Path) -> None:
    async def body(engine: TorchEngine) -> None:
        reader = asyncio.create_task(read(engine.submit(ask(max_tokens=1))))
        turns = 0
        while not reader.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert turns >= 10  # of the 50 that the step leaves room for

    def wait(step: int) -> None:
        time.sleep(0.5)

    play(tiny_model, body, load=lambda config: Troubled(load_model(config), wait))


def test_chat_messages_go_through_a_template_and_bad_ones_are_refused(tiny_model: Path) -> None:
    async def body(engine: TorchEngine) -> None:
        content = [{"type": "text", "text": "hi"}]
        chat = Submission("c", None, ({"role": "user", "content": content},), ask().params)
        rendered = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
        assert engine.submit(chat).prompt_tokens == len(rendered)
        with pytest.raises(ValueError, match="chat template"):
            engine.submit(Submission("c", None, ({"content": "no role"},), ask().params))

    play(tiny_model, body)
