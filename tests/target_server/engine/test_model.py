from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, MistralConfig, Qwen3Config

from target_server.engine.model import SlotModel, choose_device, choose_dtype
from target_server.engine.protocol import SamplingParams
from target_server.engine.scheduler import Batch, Chunk, Scheduler
from target_server.engine.sequence import Sequence
from target_server.engine.stream import TokenStream

SIZES: dict[str, Any] = {
    "vocab_size": 258,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "bos_token_id": 1,
    "eos_token_id": 0,
}


def saved(config: Any, tiny_model: Path, folder: Path) -> Path:
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


def loaded(source: Path) -> SlotModel:
    return SlotModel(source, device="cpu", dtype="float32", slots=4, max_sequence_length=64)


def sequence(prompt: list[int]) -> Sequence:
    stream = TokenStream("r", len(prompt), lambda: None)
    return Sequence(prompt, SamplingParams(9), stream, lambda _: "", frozenset())


@pytest.mark.parametrize("config_class", [LlamaConfig, MistralConfig, Qwen3Config])
def test_logits_in_chunks_and_company_are_those_of_the_whole_prompt_alone(
    config_class: Any, tiny_model: Path, tmp_path: Path
) -> None:
    extra = {"sliding_window": None} if config_class is MistralConfig else {}
    source = saved(config_class(**SIZES, **extra), tiny_model, tmp_path)
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    model = loaded(source)
    scheduler = Scheduler(model.cache, slots=4, queue_limit=9, prefill_tokens_per_step=5)
    prompts = [[2, 3, 4], [5] * 11, [6, 7], [8, 9, 10, 11]]
    for prompt in prompts:
        scheduler.add(sequence(prompt))
    for _ in range(8):
        batch = scheduler.next()
        assert batch is not None
        logits = model.step(batch)
        for row, chosen in zip(logits, batch.choosing, strict=True):
            so_far = chosen.prompt + chosen.tokens
            expected = plain(torch.tensor([so_far])).logits[0, -1]
            torch.testing.assert_close(row, expected, rtol=1e-4, atol=1e-4)
            chosen.append(int(row.argmax()))
        for decoding in batch.decoding:
            decoding.computed += 1
        for chunk in batch.chunks:
            chunk.sequence.computed = chunk.end
    assert len(scheduler.running) == 4
    assert not scheduler.waiting


def test_a_model_that_sees_only_a_window_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    model = loaded(saved(MistralConfig(**SIZES, sliding_window=8), tiny_model, tmp_path))
    one = sequence([2, 3])
    with pytest.raises(NotImplementedError, match="sliding window of 8 tokens in a cache of 64"):
        model.step(Batch((), (Chunk(one, 0, 0, 2),), (one,)))


def test_only_rows_that_choose_a_token_get_logits(tiny_model: Path) -> None:
    model = loaded(tiny_model)
    whole, part = sequence([2, 3, 4]), sequence([5] * 8)
    logits = model.step(Batch((), (Chunk(whole, 0, 0, 3), Chunk(part, 1, 0, 4)), (whole, part)))
    assert logits.shape == (1, 258)


def test_dtype_is_what_the_hardware_multiplies_unless_named() -> None:
    cpu = torch.device("cpu")
    assert choose_dtype("auto", torch.device("cuda")) is torch.bfloat16
    assert choose_dtype("auto", cpu) in (torch.float32, torch.bfloat16)
    assert choose_dtype("bfloat16", cpu) is torch.bfloat16
    with pytest.raises(ValueError, match="allowed: auto, float32"):
        choose_dtype("int8", cpu)


def test_the_device_is_cuda_only_when_there_is_one() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu").type == "cpu"
