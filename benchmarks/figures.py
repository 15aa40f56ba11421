"""One figure, one JSON line: what was measured, and against what in the same run."""

from __future__ import annotations

import json
import math
from typing import Any


def say(name: str, value: float, unit: str, reference: str, reference_value: float, **more: Any) -> None:
    """Print a figure. ``ratio`` is value ÷ reference; ``more`` says how the figure came about."""
    ratio = round(value / reference_value, 3) if reference_value and math.isfinite(value) else None
    line = {"name": name, "value": _rounded(value), "unit": unit, "reference": reference}
    print(
        json.dumps({**line, "reference_value": _rounded(reference_value), "ratio": ratio, **more}), flush=True
    )


def _rounded(value: float) -> float | None:
    """Keep five digits; what was not measured, or did not happen, is null: JSON knows no other number."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
