"""Ask a running Prometheus, by its HTTP API."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.errors import QueryError

_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Line:
    """One series of an answer: (seconds since 1970, value) in order of time; nan and inf are values too."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A measured value with the trace that it belongs to."""

    at_seconds: float
    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One server by its base URL. Every method raises QueryError when it does not answer, or refuses."""

    url: str

    def query(self, expr: str, at_seconds: float) -> list[Line]:
        """Return the expression's value at an instant: lines of one point."""
        data = self._get("query", query=expr, time=f"{at_seconds:.3f}")
        if data["resultType"] == "scalar":
            return [Line({}, (_point(data["result"]),))]
        return [Line(each["metric"], (_point(each["value"]),)) for each in data["result"]]

    def query_range(self, expr: str, start: float, end: float, step_seconds: float) -> list[Line]:
        """Return the expression's values between two instants, in seconds since 1970."""
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_seconds:g}"}
        data = self._get("query_range", query=expr, **times)
        return [Line(each["metric"], tuple(map(_point, each["values"]))) for each in data["result"]]

    def exemplars(self, expr: str, start: float, end: float) -> list[Exemplar]:
        """Return the exemplars of every series that the expression reads."""
        data = self._get("query_exemplars", query=expr, start=f"{start:.3f}", end=f"{end:.3f}")
        return [
            Exemplar(float(each["timestamp"]), float(each["value"]), each["labels"])
            for series in data
            for each in series["exemplars"]
        ]

    def label_values(self, label: str, series: str, start: float, end: float) -> list[str]:
        """Return what values a label of a series had."""
        path = f"label/{label}/values"
        return list(self._get(path, **{"match[]": series}, start=f"{start:.3f}", end=f"{end:.3f}"))

    def _get(self, path: str, **parameters: str) -> Any:
        """Post, as Grafana does: a query may be longer than an address may be."""
        form = urllib.parse.urlencode(parameters)
        if path.startswith("label/"):
            request = urllib.request.Request(f"{self.url}/api/v1/{path}?{form}")
        else:
            request = urllib.request.Request(f"{self.url}/api/v1/{path}", data=form.encode())
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            said = error.read(2000).decode("utf-8", "replace")
            raise QueryError(f"Prometheus answered {error.code} to {parameters}: {said}") from None
        except (OSError, ValueError, KeyError) as error:
            raise QueryError(f"no answer from Prometheus at {self.url}: {error}") from None


def _point(pair: Any) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
