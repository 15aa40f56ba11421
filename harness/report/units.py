"""Numbers for people: every figure with its unit, and never more digits than the measurement carries."""

from __future__ import annotations

import math

ABSENT = "–"
"""What stands where nothing was measured: an absent value is never shown as zero."""


def seconds(value: float | None) -> str:
    """Show a duration in seconds: ``840 µs``, ``12.3 ms``, ``1.53 s``, ``3 min 05 s``; +inf is ``∞``."""
    if value is None or math.isnan(value):
        return ABSENT
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value < 0:
        return f"−{seconds(-value)}"
    # Each limit is where the smaller unit would round up to a thousand of itself (999.7 ms is "1.00 s").
    if value < 0.5e-6:
        return "< 1 µs" if value else "0 s"
    if value < 0.9995e-3:
        return f"{value * 1e6:.0f} µs"
    if value < 0.9995:
        return f"{_three_digits(value * 1e3)} ms"
    return f"{_three_digits(value)} s" if value < 119.5 else _minutes(value)


def _minutes(value: float) -> str:
    minutes, rest = divmod(round(value), 60)
    if minutes < 120:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _three_digits(value: float) -> str:
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def share(value: float | None) -> str:
    """Show a share 0..1 as a percentage; small shares never read ``0 %``, nor large ones 100."""
    if value is None or math.isnan(value):
        return ABSENT
    percent = value * 100
    if percent in (0, 100):
        return f"{percent:.0f} %"
    if percent < 0.005:
        return "< 0.01 %"
    if 99.995 <= percent < 100:
        return "> 99.99 %"
    return f"{percent:.2f} %" if percent < 1 or percent > 99 else f"{percent:.1f} %"


def rate(value: float | None) -> str:
    """Show events per second: ``12.3/s``."""
    if value is None or math.isnan(value):
        return ABSENT
    if value == 0:
        return "0/s"
    return f"{value:,.0f}/s" if value >= 999.5 else f"{_three_digits(value)}/s"


def count(value: float | None) -> str:
    """Show a whole number with thousands separated: ``12,345``."""
    return ABSENT if value is None or math.isnan(value) else f"{value:,.0f}"


def size(value: float | None) -> str:
    """Show a number of bytes in binary units: ``312 MiB``."""
    if value is None or math.isnan(value):
        return ABSENT
    for unit in ("B", "KiB", "MiB"):
        if value < 1023.5:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def small_size(value: float | None) -> str:
    """Show the bytes of one thing of many, with the digit that many of them make weigh: ``2.3 KiB``."""
    if value is None or math.isnan(value):
        return ABSENT
    return f"{value:.0f} B" if abs(value) < 1024 else f"{value / 1024:.1f} KiB"


def exact_seconds(value: float) -> str:
    """Show a limit that a person wrote, without rounding it to three digits: ``250 ms``, ``1.25 s``."""
    if value < 1:
        return f"{value * 1e3:.6g} ms"
    return f"{value:.6g} s"


def plural(number: int, noun: str) -> str:
    """Count a noun: ``1 objective``, ``3 objectives``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
