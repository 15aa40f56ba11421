"""What is known of a metric family: the row that the tables of names are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Half = Literal["harness", "target", "both", "foreign"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family.

    ``name`` is the family's name in Prometheus' exposition (counters get ``_total`` there). ``unit`` is the
    base unit, "1" for counts and shares. ``labels`` are closed sets: no id of a request or a trace, and that
    of a run on ``tidegate_run_info`` alone. ``across`` is what the processes of one group make of it
    together, when one page tells of all of them.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    half: Half
    labels: tuple[str, ...] = ()
    across: Literal["sum", "mean", "max"] = "sum"

    @property
    def series(self) -> tuple[str, ...]:
        """Return the names that queries use: a counter's with ``_total``, a histogram's three."""
        if self.kind == "counter":
            return (f"{self.name}_total",)
        if self.kind == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)
