"""Attention over the slot cache, called by the model's own layers in place of transformers' attention.

A step's tokens lie in one row: a token of each decoding sequence, then the chunks of prompts. The linear
layers see them as one matrix; only here do they part. What all layers share, masks above all, is built once
a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from target_server.engine.kv_cache import SlotCache
from target_server.engine.scheduler import Batch


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """Where a chunk's tokens lie in the row, and what they see. ``mask`` None: causal from position 0."""

    tokens: slice
    slot: int
    seen: int
    mask: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step's inputs and geometry. ``mask`` is (decoding, 1, 1, seen), 0 or −inf."""

    cache: SlotCache
    token_ids: torch.Tensor
    positions: torch.Tensor
    rows: torch.Tensor
    outputs: torch.Tensor
    decoding: int
    seen: int
    mask: torch.Tensor
    chunks: tuple[ChunkPlan, ...]


def plan_step(batch: Batch, cache: SlotCache) -> StepPlan:
    """Lay the batch's tokens into one row."""
    token_ids = [sequence.last_token for sequence in batch.decoding]
    positions = [sequence.computed for sequence in batch.decoding]
    slots = list(range(len(positions)))
    outputs = list(slots)
    chunks: list[ChunkPlan] = []
    for chunk in batch.chunks:
        first = len(token_ids)
        token_ids += chunk.sequence.prompt[chunk.start : chunk.end]
        positions += range(chunk.start, chunk.end)
        slots += [chunk.slot] * (chunk.end - chunk.start)
        chunks.append(_plan_chunk(slice(first, len(token_ids)), chunk.slot, chunk.start, chunk.end, cache))
        if chunk.completes_prompt:
            outputs.append(len(token_ids) - 1)
    rows = [slot * cache.length + position for slot, position in zip(slots, positions, strict=True)]
    device, decoding = cache.keys.device, len(batch.decoding)
    inputs = torch.tensor([token_ids, positions, rows], device=device)
    seen = max(positions[:decoding], default=-1) + 1
    return StepPlan(
        cache=cache,
        token_ids=inputs[0:1],
        positions=inputs[1:2],
        rows=inputs[2],
        outputs=torch.tensor(outputs, dtype=torch.long, device=device),
        decoding=decoding,
        seen=seen,
        mask=_mask(inputs[1, :decoding], seen, cache)[:, None, None, :],
        chunks=tuple(chunks),
    )


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    slot_plan: StepPlan,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attend for one layer: query (1, heads, tokens, head_dim), keys and values with their own heads.

    Returns (1, tokens, heads, head_dim). Raises NotImplementedError for what the slot cache cannot do.
    """
    del attention_mask  # each kind of token has its own, in the plan
    _check(options, slot_plan.cache)
    layer: int = module.layer_idx  # type: ignore[assignment]
    slot_plan.cache.write(layer, slot_plan.rows, key[0].transpose(0, 1), value[0].transpose(0, 1))
    parts = [_prefill(query, layer, chunk, slot_plan.cache, scaling) for chunk in slot_plan.chunks]
    if slot_plan.decoding:
        parts.insert(0, _decode(query, layer, slot_plan, scaling))
    return (parts[0] if len(parts) == 1 else torch.cat(parts))[None], None


def _decode(query: torch.Tensor, layer: int, plan: StepPlan, scaling: float) -> torch.Tensor:
    """Attend for one token of each decoding sequence; heads that share keys become rows of one query."""
    heads, head_dim = query.shape[1], query.shape[3]
    keys = plan.cache.keys[layer, : plan.decoding, : plan.seen].transpose(1, 2)
    values = plan.cache.values[layer, : plan.decoding, : plan.seen].transpose(1, 2)
    grouped = query[0, :, : plan.decoding].transpose(0, 1).reshape(plan.decoding, keys.shape[1], -1, head_dim)
    attended = scaled_dot_product_attention(grouped, keys, values, attn_mask=plan.mask, scale=scaling)
    return attended.reshape(plan.decoding, heads, head_dim)


def _prefill(
    query: torch.Tensor, layer: int, chunk: ChunkPlan, cache: SlotCache, scaling: float
) -> torch.Tensor:
    keys = cache.keys[layer, chunk.slot : chunk.slot + 1, : chunk.seen].transpose(1, 2)
    values = cache.values[layer, chunk.slot : chunk.slot + 1, : chunk.seen].transpose(1, 2)
    attended = scaled_dot_product_attention(
        query[:, :, chunk.tokens],
        keys,
        values,
        attn_mask=chunk.mask,
        is_causal=chunk.mask is None,
        scale=scaling,
        enable_gqa=keys.shape[1] != query.shape[1],
    )
    return attended[0].transpose(0, 1)


def _plan_chunk(tokens: slice, slot: int, start: int, end: int, cache: SlotCache) -> ChunkPlan:
    mask = None if start == 0 else _mask(torch.arange(start, end, device=cache.keys.device), end, cache)
    return ChunkPlan(tokens, slot, end, mask)


def _mask(positions: torch.Tensor, seen: int, cache: SlotCache) -> torch.Tensor:
    """Return (positions, seen): 0 up to each position, −inf beyond. In the model's dtype: bool is converted
    anew by every layer."""
    beyond = torch.arange(seen, device=positions.device) > positions[:, None]
    return torch.zeros(beyond.shape, dtype=cache.keys.dtype, device=positions.device).masked_fill_(
        beyond, float("-inf")
    )


def _check(options: dict[str, Any], cache: SlotCache) -> None:
    window = options.get("sliding_window")
    if window is not None and window < cache.length:
        raise NotImplementedError(f"sliding window of {window} tokens in a cache of {cache.length}")
    for option in ("softcap", "s_aux"):
        if options.get(option) is not None:
            raise NotImplementedError(f"attention with {option}")
