"""Numbers in the units that the panels name, short enough for an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_BYTES = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))
_PLAIN = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY = {"bytes": "", "Bps": "/s"}
_SUFFIXES = {"reqps": " req/s", "watt": " W"}


def written(value: float, unit: str) -> str:
    """Return a value with its unit."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        return _scaled(value, _SECONDS)
    if unit in _BINARY:
        return _scaled(value, _BYTES) + _BINARY[unit]
    return _plain(value) + _SUFFIXES.get(unit, "")


def ticks(low: float, high: float, unit: str, log: bool) -> tuple[list[float], list[str]]:
    """Return where an axis has its marks, and their texts."""
    size = 2.0**10 if unit in _BINARY else 1000.0
    scale = size ** math.floor(math.log(high / 2, size)) if unit in _BINARY and high > 2 else 1.0
    even = [place * scale for place in _even_places(low / scale, high / scale)]
    places = _log_places(low, high) if log else even
    return places, [written(place, unit) for place in places]


def _scaled(value: float, steps: Sequence[tuple[float, str]]) -> str:
    if value == 0:
        return "0"
    size, name = next(((size, name) for size, name in steps if abs(value) >= size), steps[-1])
    return f"{value / size:.3g} {name}"


def _plain(value: float) -> str:
    for size, name in _PLAIN:
        if abs(value) >= size:
            return f"{value / size:.3g}{name}"
    return f"{value:.3g}"


def _even_places(low: float, high: float) -> list[float]:
    """Return four to eight round numbers."""
    span = high - low or 1.0
    step = 10.0 ** math.floor(math.log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
    return [
        round(place * step, 12) for place in range(math.ceil(low / step - 1e-9), int(high / step + 1e-9) + 1)
    ]


def _log_places(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = (1, 2, 5) if len(decades) <= 4 else (1,)
    places = (factor * 10.0**decade for decade in decades for factor in fine)
    return [place for place in places if low <= place * 1.0001 and place <= high * 1.0001]
