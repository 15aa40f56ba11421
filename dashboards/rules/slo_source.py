"""The objectives of SLO files, as far as alerts need them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.scenario.document import read_document
from harness.scenario.metrics import parse_threshold
from harness.scenario.model import Slo
from harness.scenario.slo_file import read_slo_file
from harness.scenario.units import Rate

_DEFAULT_PERIOD_DAYS = 30.0
_DAYS = {"d": 1.0, "w": 7.0, "h": 1 / 24}


@dataclass(frozen=True, slots=True)
class ProductionSlo:
    """One objective. ``threshold`` is in seconds or a share, ``budget`` the share that may be bad, 0 to 1."""

    name: str
    metric: str
    threshold: float
    budget: float
    period_days: float
    promise: str


def read_slos(files: Sequence[Path]) -> list[ProductionSlo]:
    """Read every objective of the files. Raises UsageError for a file that is not valid."""
    return [slo for file in files for slo in _read(file)]


def _read(file: Path) -> Iterator[ProductionSlo]:
    period_days = _period_days(read_document(file).data)
    for slo in read_slo_file(file):
        threshold = parse_threshold(slo.metric, slo.threshold, unit_required=False)
        value = threshold.value if isinstance(threshold, Rate) else threshold
        yield ProductionSlo(slo.name, slo.metric, value, _budget(slo, value), period_days, _promise(slo))


def _budget(slo: Slo, threshold: float) -> float:
    share = 1 - slo.percentile / 100 if slo.percentile is not None else threshold
    return round(share, 9)  # without the binary dust of 1 − 0.99


def _promise(slo: Slo) -> str:
    """Say in words what was promised."""
    bound = f"at most {slo.at_most}" if slo.at_most is not None else f"at least {slo.at_least}"
    if slo.percentile is not None:
        return f"{slo.percentile:g} % of requests have a {slo.metric} of {bound}"
    return f"{slo.metric} is {bound}"


def _period_days(data: Any) -> float:
    """Read OpenSLO's ``timeWindow``; 30 days where it gives none that we can read."""
    try:
        match = re.fullmatch(r"(\d+)([dwh])", data["spec"]["timeWindow"][0]["duration"])
    except (KeyError, IndexError, TypeError):
        return _DEFAULT_PERIOD_DAYS
    return float(match[1]) * _DAYS[match[2]] if match else _DEFAULT_PERIOD_DAYS
