"""Draws by request number are uniform, independent by purpose, and repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from harness.workload.draws import Draws, mix


def test_mix_is_splitmix64() -> None:
    """The first outputs of splitmix64 for the seed 1234567, as published with the algorithm."""
    gamma, mask = 0x9E3779B97F4A7C15, 2**64 - 1
    states = [(1234567 + step * gamma) & mask for step in range(3)]
    assert [mix(state) for state in states] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_uniform_draws_are_uniform() -> None:
    """Kolmogorov–Smirnov at the 99.9 % bound, 1.95 / √n."""
    draws = Draws(3, "anything")
    values = np.sort([draws.uniform(index) for index in range(20_000)])
    assert np.max(np.abs(values - np.arange(1, 20_001) / 20_000)) < 1.95 / np.sqrt(20_000)


def test_consecutive_draws_are_uncorrelated_and_so_are_purposes() -> None:
    one, other = Draws(3, "input"), Draws(3, "output")
    first = np.array([one.uniform(index) for index in range(20_000)])
    second = np.array([other.uniform(index) for index in range(20_000)])
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.025
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.025


@pytest.mark.parametrize("bits", [0, 2**64 - 1])
def test_uniform_draws_never_reach_an_end_at_which_the_normal_quantile_is_infinite(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Draws, "bits", lambda _self, _index: bits)
    assert 0 < Draws(0, "any").uniform(0) < 1
