"""Keys and values of all running sequences: one fixed slot of the full length each, allocated once.

The running sequences fill the slots from 0 without holes, so that a decode step reads plain views and
gathers nothing. Layout per layer: (slots, length, kv_heads, head_dim); a step writes the rows
slot × length + position.
"""

from __future__ import annotations

import torch


class SlotCache:
    """Static cache for ``slots`` sequences of at most ``length`` tokens."""

    def __init__(
        self,
        *,
        layers: int,
        slots: int,
        length: int,
        kv_heads: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.slots = slots
        self.length = length
        # Zeros, not empty: a masked position has weight 0, and 0 × NaN would still be NaN.
        shape = (layers, slots, length, kv_heads, head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)

    def write(self, layer: int, rows: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> None:
        """Store keys and values of shape (tokens, kv_heads, head_dim) in the given rows."""
        self.keys[layer].flatten(0, 1).index_copy_(0, rows, key)
        self.values[layer].flatten(0, 1).index_copy_(0, rows, value)

    def move(self, source: int, target: int, tokens: int) -> None:
        """Copy a sequence's first ``tokens`` positions to another slot."""
        self.keys[:, target, :tokens] = self.keys[:, source, :tokens]
        self.values[:, target, :tokens] = self.values[:, source, :tokens]
