"""Values with units, as people write them: ``30s``, ``400/s``, ``2.5x``, ``1%``.

Every parser takes what stands in the file and returns a number in the base unit, or raises ValueError with a
sentence that says what is allowed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

NUMBER = r"[0-9]+(?:\.[0-9]+)?"
DURATION_PATTERN = rf"^{NUMBER} ?(?:us|ms|s|m|h)$"
RATE_PATTERN = rf"^{NUMBER} ?(?:/s|/min|/h|x)$"
SPEED_PATTERN = rf"^{NUMBER} ?x$"
SHARE_PATTERN = rf"^{NUMBER} ?%$"

_SECONDS_PER = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PER_SECOND = {"/s": 1.0, "/min": 1 / 60, "/h": 1 / 3600}
_SPLIT = re.compile(rf"^({NUMBER}) ?([a-z/%]+)$")

DURATION_ALLOWED = "a duration with its unit (us, ms, s, m or h), such as 30s or 250ms"
RATE_ALLOWED = "a rate: requests per time (400/s, 30/min, 100/h) or a multiple of the capacity (2.5x)"
SHARE_ALLOWED = "a share: a number from 0 to 1, or a percentage such as 1%"
SPEED_ALLOWED = "a speed above 0, such as 20x"


@dataclass(frozen=True, slots=True)
class Rate:
    """An arrival rate: requests per second, or a multiple of the target's measured capacity (``x``)."""

    value: float
    unit: Literal["per_second", "x"] = "per_second"

    def __str__(self) -> str:
        return f"{plain_number(self.value)}{'/s' if self.unit == 'per_second' else 'x'}"

    def absolute(self, capacity_per_second: float | None) -> Rate:
        """Return the rate in requests per second. Raises ValueError for ``x`` without a capacity."""
        if self.unit == "per_second":
            return self
        if capacity_per_second is None:
            raise ValueError(f"the rate {self} needs the target's capacity")
        return Rate(self.value * capacity_per_second)


def plain_number(value: float) -> str:
    """Write a number so that it reads back exactly and never as ``1e-05``."""
    return format(Decimal(repr(float(value))), "f").removesuffix(".0")


def parse_duration(given: object) -> float:
    """Return seconds. ``30s`` → 30.0."""
    number, unit = _split(given, DURATION_ALLOWED)
    if unit not in _SECONDS_PER:
        raise ValueError(DURATION_ALLOWED)
    return number * _SECONDS_PER[unit]


def parse_rate(given: object) -> Rate:
    """Return a Rate. ``30/min`` → 0.5 per second; ``2.5x`` → 2.5 times the capacity."""
    number, unit = _split(given, RATE_ALLOWED)
    if unit == "x":
        return Rate(number, "x")
    if unit not in _PER_SECOND:
        raise ValueError(RATE_ALLOWED)
    return Rate(number * _PER_SECOND[unit])


def parse_speed(given: object) -> float:
    """Return a factor above 0. ``20x`` and 20 → 20.0."""
    factor = _plain(given)
    if factor is None:
        number, unit = _split(given, SPEED_ALLOWED)
        factor = number if unit == "x" else 0.0
    if not 0 < factor < math.inf:
        raise ValueError(SPEED_ALLOWED)
    return factor


def parse_share(given: object) -> float:
    """Return a share from 0 to 1. ``1%`` and 0.01 → 0.01."""
    share = _plain(given)
    if share is None:
        number, unit = _split(given, SHARE_ALLOWED)
        share = number / 100 if unit == "%" else math.nan
    if not 0 <= share <= 1:
        raise ValueError(SHARE_ALLOWED)
    return share


def _plain(given: object) -> float | None:
    """Return a bare number; a bool is not one, although Python says so."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    return None


def _split(given: object, allowed: str) -> tuple[float, str]:
    match = _SPLIT.match(given) if isinstance(given, str) else None
    if match is None:
        raise ValueError(allowed)
    number = float(match[1])
    if not math.isfinite(number):
        raise ValueError(allowed)
    return number, match[2]
