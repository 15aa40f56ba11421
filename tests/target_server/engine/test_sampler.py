from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch

from target_server.engine.protocol import SamplingParams
from target_server.engine.sampler import choose
from target_server.engine.sequence import Sequence
from target_server.engine.stream import TokenStream


def wanting(**params: Any) -> Sequence:
    stream = TokenStream("r", 1, lambda: None)
    return Sequence([1], SamplingParams(max_tokens=9, **params), stream, lambda _: "", frozenset())


def draws(logits: torch.Tensor, count: int, **params: Any) -> Counter[int]:
    one = wanting(**params)
    return Counter(choose(logits[None], (one,))[0] for _ in range(count))


LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


def test_temperature_zero_takes_the_likeliest_of_each_row() -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [3.0, 0.0, 0.0]])
    assert choose(logits, (wanting(), wanting())) == [1, 0]


def test_temperature_one_draws_by_the_models_shares() -> None:
    counts = draws(LOGITS, 4000, temperature=1.0, seed=1)
    for token, share in enumerate((0.5, 0.3, 0.15, 0.05)):
        assert counts[token] / 4000 == pytest.approx(share, abs=0.03)


def test_a_low_temperature_sharpens() -> None:  # 0.5² : 0.3² = 25 : 9
    counts = draws(LOGITS, 4000, temperature=0.5, seed=1)
    assert counts[0] / counts[1] == pytest.approx(25 / 9, rel=0.15)


@pytest.mark.parametrize(("top_p", "kept"), [(0.4, {0}), (0.79, {0, 1}), (0.9, {0, 1, 2}), (0.0, {0})])
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p: float, kept: set[int]) -> None:
    assert set(draws(LOGITS, 400, temperature=1.0, top_p=top_p, seed=1)) == kept


def test_a_seeded_request_draws_the_same_alone_and_among_others() -> None:
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    alone, together = wanting(temperature=1.0, seed=5), wanting(temperature=1.0, seed=5)
    others = wanting(temperature=1.0, seed=6), wanting()
    for _ in range(20):
        expected = choose(logits[1:2], (alone,))[0]
        assert choose(logits, (others[0], together, others[1]))[1] == expected


def test_without_a_seed_two_requests_draw_differently() -> None:
    flat = torch.zeros(1, 1000)
    one, other = wanting(temperature=1.0), wanting(temperature=1.0)
    assert [choose(flat, (one,)) for _ in range(8)] != [choose(flat, (other,)) for _ in range(8)]
