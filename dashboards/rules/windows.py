"""Burn-rate windows as data, after the SRE workbook's table 5-8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["page", "ticket"]


@dataclass(frozen=True, slots=True)
class Burn:
    """An alert when both windows burn the budget ``factor`` times as fast as it lasts."""

    long: str
    short: str
    factor: float
    severity: Severity


_HOURS = {"5m": 1 / 12, "30m": 0.5, "1h": 1.0, "2h": 2.0, "6h": 6.0, "1d": 24.0, "3d": 72.0}
WINDOWS: tuple[str, ...] = tuple(_HOURS)
_TABLE: tuple[tuple[str, str, float, Severity], ...] = (
    ("1h", "5m", 0.02, "page"),
    ("6h", "30m", 0.05, "page"),
    ("1d", "2h", 0.10, "ticket"),
    ("3d", "6h", 0.10, "ticket"),
)
"""Long window, short window, the share of the budget that is gone when the alert comes, its severity."""


def burns(period_days: float) -> tuple[Burn, ...]:
    """Return the windows for a budget of ``period_days``: 2 % in one hour of 30 days is 14.4 times."""
    return tuple(
        Burn(long, short, share * period_days * 24 / _HOURS[long], severity)
        for long, short, share, severity in _TABLE
    )
