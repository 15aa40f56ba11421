"""Histogram bounds: fine enough that a quantile read from them is within 3 %, and exact at each objective."""

from __future__ import annotations

from collections.abc import Iterable

_FIRST_SECONDS = 0.005
_LAST_SECONDS = 120.0
_STEP = 1.25  # linear interpolation inside a ×1.25 bucket errs by at most about 3 %


def latency_buckets(objectives_seconds: Iterable[float] = ()) -> tuple[float, ...]:
    """Return ascending bounds in seconds from 5 ms to 120 s, with every objective's threshold among them.

    With the threshold as a bound, "share of requests within the objective" is a count, not an estimate.
    """
    steps: list[float] = []
    bound = _FIRST_SECONDS
    while bound < _LAST_SECONDS:
        steps.append(float(f"{bound:.3g}"))
        bound *= _STEP
    return tuple(sorted({*steps, _LAST_SECONDS, *objectives_seconds}))
