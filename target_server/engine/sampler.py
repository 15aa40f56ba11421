"""From logits to tokens: greedy, or drawn with temperature and top-p from the request's own random stream."""

from __future__ import annotations

import torch

from target_server.engine.protocol import SamplingParams
from target_server.engine.sequence import Sequence


def choose(logits: torch.Tensor, sequences: tuple[Sequence, ...]) -> list[int]:
    """Return one token per row of ``logits`` (sequences, vocabulary).

    Greedy rows share one argmax. A drawn token depends on its own row and seed only, never on the batch.
    """
    tokens: list[int] = logits.argmax(dim=-1).tolist()
    for row, sequence in enumerate(sequences):
        if sequence.params.temperature > 0:
            tokens[row] = _draw(logits[row], sequence.params, _generator(sequence, logits.device))
    return tokens


def _draw(logits: torch.Tensor, params: SamplingParams, generator: torch.Generator) -> int:
    shares = torch.softmax(logits.float() / params.temperature, dim=-1)
    if params.top_p < 1:
        shares = _nucleus(shares, params.top_p)
    return int(torch.multinomial(shares, 1, generator=generator))


def _nucleus(shares: torch.Tensor, top_p: float) -> torch.Tensor:
    """Keep the smallest set of likeliest tokens whose shares reach ``top_p``: always at least one."""
    ordered, tokens = shares.sort(descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where(before < top_p, ordered, 0.0)
    kept[0] = ordered[0]
    return torch.zeros_like(shares).scatter(0, tokens, kept)


def _generator(sequence: Sequence, device: torch.device) -> torch.Generator:
    if sequence.generator is None:
        sequence.generator = torch.Generator(device)
        if sequence.params.seed is None:
            sequence.generator.seed()
        else:
            sequence.generator.manual_seed(sequence.params.seed)
    return sequence.generator
