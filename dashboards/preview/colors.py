"""Grafana's colours, by name and in the order in which it gives them to series."""

from __future__ import annotations

_NAMED = {
    "blue": "#5794f2",
    "orange": "#ff9830",
    "red": "#f2495c",
    "green": "#73bf69",
    "purple": "#b877d9",
    "yellow": "#fade2a",
}
_PALETTE = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#8f6ed5", "#37872d")


def named(color: str) -> str:
    """Return the hexadecimal form of a colour's name."""
    return _NAMED.get(color, color)


def nth(index: int) -> str:
    """Return the colour of the series at ``index``."""
    return _PALETTE[index % len(_PALETTE)]
