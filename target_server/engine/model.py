"""The model itself: transformers' own layers, with attention over our slot cache in place of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AttentionInterface,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
)
from transformers.utils.logging import disable_progress_bar

from target_server.engine.attention import attend, plan_step
from target_server.engine.kv_cache import SlotCache
from target_server.engine.scheduler import Batch
from target_server.engine.tokenizer import Tokenizer

# No mask function is registered beside it: transformers then builds no mask, and passes `slot_plan` through.
_ATTENTION = "tidegate_slots"
AttentionInterface.register(_ATTENTION, attend)


class SlotModel:
    """A causal language model with its cache and tokenizer.

    ``max_sequence_length`` is cut to what the model's positions allow.
    """

    def __init__(
        self, source: str | Path, *, device: str, dtype: str, slots: int, max_sequence_length: int
    ) -> None:
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        disable_progress_bar()
        model = AutoModelForCausalLM.from_pretrained(source, dtype=self.dtype, attn_implementation=_ATTENTION)
        self._model = model.to(self.device).eval()
        self.tokenizer = Tokenizer(AutoTokenizer.from_pretrained(source))
        self.end_tokens = _end_tokens(self._model)
        self.cache = _cache(self._model.config, slots, max_sequence_length, self.dtype, self.device)
        self.max_sequence_length = self.cache.length

    @torch.inference_mode()
    def step(self, batch: Batch) -> torch.Tensor:
        """Compute one step; return logits (len(batch.choosing), vocabulary)."""
        plan = plan_step(batch, self.cache)
        answer = self._model(
            input_ids=plan.token_ids,
            position_ids=plan.positions,
            use_cache=False,
            logits_to_keep=plan.outputs,  # the vocabulary's matrix is the largest: only rows that are needed
            slot_plan=plan,
        )
        logits: torch.Tensor = answer.logits[0]
        return logits


def choose_device(device: str) -> torch.device:
    """Return the device; ``auto`` is CUDA when there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """Return the dtype; ``auto`` is bfloat16 where the hardware multiplies it, else float32."""
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" or _cpu_multiplies_bfloat16() else torch.float32
    chosen = getattr(torch, dtype, None)
    if not isinstance(chosen, torch.dtype) or not chosen.is_floating_point:
        raise ValueError(f"dtype {dtype!r}; allowed: auto, float32, bfloat16, float16")
    return chosen


def _cpu_multiplies_bfloat16() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    words = set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


def _end_tokens(model: Any) -> frozenset[int]:
    """Return the tokens that end an answer, as ``generate`` takes them."""
    config: GenerationConfig = model.generation_config
    ends = config.eos_token_id
    return frozenset(ends if isinstance(ends, list) else [] if ends is None else [ends])


def _cache(
    config: PreTrainedConfig, slots: int, length: int, dtype: torch.dtype, device: torch.device
) -> SlotCache:
    text = config.get_text_config()
    heads = text.num_attention_heads
    return SlotCache(
        layers=text.num_hidden_layers,
        slots=slots,
        length=min(length, text.max_position_embeddings),
        kv_heads=getattr(text, "num_key_value_heads", None) or heads,
        head_dim=getattr(text, "head_dim", None) or text.hidden_size // heads,
        dtype=dtype,
        device=device,
    )
