"""Token lengths by request: fixed, lognormal, or what the trace says."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from statistics import NormalDist

from harness.scenario.model import Lognormal
from harness.workload.draws import Draws

Length = Callable[[int, int | None], int]
"""From the request's number and the trace's length (or None) to a number of tokens, at least 1."""


def length_of(spec: int | Lognormal | str, draws: Draws, typical_tokens: int) -> Length:
    """Return the length function of a specification.

    ``typical_tokens`` stands in for the trace's length where there is none: in the capacity probe.
    """
    if isinstance(spec, Lognormal):
        return _lognormal(spec, draws)
    if isinstance(spec, str):
        return lambda _seq, traced: max(1, typical_tokens if traced is None else traced)
    return lambda _seq, _traced: spec


def _lognormal(spec: Lognormal, draws: Draws) -> Length:
    middle, sigma, low = log(spec.median), spec.sigma, spec.min
    high = spec.max or 2**31 - 1
    quantile = NormalDist().inv_cdf

    def draw(seq: int, _traced: int | None) -> int:
        # The exponent is bounded so that an absurd sigma cannot overflow before it is clipped.
        tokens = exp(min(middle + sigma * quantile(draws.uniform(seq)), 21.0))
        return min(max(round(tokens), low), high)

    return draw
