"""Find the highest rate that goes well, by trying: step back until one does, then halve what is unknown."""

from __future__ import annotations

import math
from collections.abc import Callable

_STEP_BACK = 0.6
_CLOSE_ENOUGH = 1.1


def highest_good(
    low: float, high: float, try_rate: Callable[[float], float | None], may_go_on: Callable[[], bool]
) -> float:
    """Return the best that ``try_rate`` achieved between ``low``, which should go well, and ``high``.

    ``try_rate`` returns what a rate achieved, or None when it did not go well. It ends when both bounds are
    within 10 %, or ``may_go_on`` turns false; 0 when nothing went well until then.
    """
    best, rate = 0.0, low
    while may_go_on():
        achieved = try_rate(rate)
        if achieved is not None:
            best, low = max(best, achieved), rate
        else:
            high = rate
            low = low if best else rate * _STEP_BACK
        if best and high < low * _CLOSE_ENOUGH:
            break
        rate = math.sqrt(low * high) if best else low
    return best
