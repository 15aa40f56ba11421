"""A page with another server's names: all that the tables know, with counters that grow at every read."""

from __future__ import annotations

import random

from observability.alike import ALIKE, HISTOGRAM_SUFFIXES, Server
from observability.foreign_names import FOREIGN_METRICS

SERVERS: tuple[Server, ...] = ("vllm", "sglang", "tgi", "llamacpp")
_BOUNDS = (0.001, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_OBSERVED = 20
_LABELS = 'model_name="tiny"'


class ForeignPage:
    """Made of the tables alone, so that a name that is missing there is missing here."""

    def __init__(self, server: Server) -> None:
        self._random = random.Random(server)
        self._values: dict[str, float] = {}
        self._families = _families(server)
        self._wheres = _wheres(server)

    def text(self) -> str:
        """Return the page after a little more work."""
        return "".join(line for name, kind in self._families.items() for line in self._lines(name, kind))

    def _lines(self, name: str, kind: str) -> list[str]:
        if kind == "histogram":
            return self._histogram(name)
        lines = [f"# TYPE {name} {kind}\n"]
        for more in self._wheres.get(name, [""]):
            series = f"{name}{{{_LABELS}{more}}}"
            lines.append(f"{series} {self._next(series, kind)}\n")
        return lines

    def _next(self, series: str, kind: str) -> float:
        if kind == "gauge":
            return self._random.random()
        self._values[series] = self._values.get(series, 0) + self._random.randint(1, 20)
        return self._values[series]

    def _histogram(self, name: str) -> list[str]:
        seen = [self._random.lognormvariate(-3, 0.7) for _ in range(_OBSERVED)]
        lines = [f"# TYPE {name} histogram\n"]
        for bound in (*_BOUNDS, float("inf")):
            le = "+Inf" if bound == float("inf") else str(bound)
            series = f'{name}_bucket{{{_LABELS},le="{le}"}}'
            self._values[series] = self._values.get(series, 0) + sum(value <= bound for value in seen)
            lines.append(f"{series} {self._values[series]}\n")
        for suffix, more in (("_sum", sum(seen)), ("_count", len(seen))):
            series = f"{name}{suffix}{{{_LABELS}}}"
            self._values[series] = self._values.get(series, 0) + more
            lines.append(f"{series} {self._values[series]}\n")
        return lines


def _families(server: Server) -> dict[str, str]:
    """Return the kind of each family of the server's that a rule or a panel reads."""
    known = {row.theirs: _kind(row.ours) for row in ALIKE if row.server == server}
    for metric in FOREIGN_METRICS:
        if metric.name.startswith(f"{server}:"):
            known[metric.series[0] if metric.kind == "counter" else metric.name] = metric.kind
    # A counter of ours that is the sum of a histogram of theirs.
    return {name.removesuffix(HISTOGRAM_SUFFIXES[1]): "histogram" if name.endswith("_sum") else kind
            for name, kind in known.items()}  # fmt: skip


def _kind(ours: str) -> str:
    if ours.endswith("_total"):
        return "counter"
    return "histogram" if ours.endswith("_seconds") else "gauge"


def _wheres(server: Server) -> dict[str, list[str]]:
    """Return, by series, the label values that the table asks for."""
    asked: dict[str, list[str]] = {}
    for row in ALIKE:
        if row.server == server:
            for name, value in row.where:
                asked.setdefault(row.theirs, []).extend(f',{name}="{one}"' for one in value.split("|"))
    return asked
