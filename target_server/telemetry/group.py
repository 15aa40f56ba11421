"""One page for several processes: their samples, added up.

prometheus_client has a mode for this, over shared files, that loses exemplars and process metrics. Here each
process hands its samples over when the group's page is read. Counters and histograms are added, and each
bucket keeps the newest exemplar; what becomes of a gauge stands in `observability.names`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import Exemplar, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.samples import Sample

from observability.names import BY_NAME


class _Point(msgspec.Struct, array_like=True):
    """A sample. ``exemplar`` is (labels, value, seconds since 1970; 0 where its time is not known)."""

    name: str
    labels: dict[str, str]
    value: float
    exemplar: tuple[dict[str, str], float, float] | None


class _Family(msgspec.Struct, array_like=True):
    name: str
    help: str
    kind: str
    points: list[_Point]


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(list[_Family]).decode


def dump_samples(registry: CollectorRegistry) -> bytes:
    """Return every sample of one process, for `merged_page`."""
    return _encode([_family(metric) for metric in registry.collect()])


def merged_page(dumps: Iterable[bytes], accept: str) -> tuple[bytes, str]:
    """Return (body, content type) of the group's page; OpenMetrics when ``accept`` asks for it."""
    encode, content_type = choose_encoder(accept)
    return encode(_Group(tuple(map(_decode, dumps)))), content_type


@dataclass(frozen=True, slots=True)
class _Group:
    """Looks like a registry to the encoders."""

    members: tuple[list[_Family], ...]

    def collect(self) -> Iterator[Metric]:
        families = {family.name: family for member in self.members for family in member}
        for name, family in families.items():
            same = [other for member in self.members for other in member if other.name == name]
            yield _metric(family, [point for other in same for point in other.points], len(self.members))


def _family(metric: Metric) -> _Family:
    return _Family(metric.name, metric.documentation, metric.type, [_point(s) for s in metric.samples])


def _point(sample: Sample) -> _Point:
    mark = sample.exemplar
    exemplar = None if mark is None else (dict(mark.labels), mark.value, float(mark.timestamp or 0))
    return _Point(sample.name, dict(sample.labels), sample.value, exemplar)


def _metric(family: _Family, points: list[_Point], members: int) -> Metric:
    entry = BY_NAME.get(family.name)
    metric = Metric(family.name, family.help, family.kind)
    alike: dict[tuple[str, tuple[tuple[str, str], ...]], list[_Point]] = {}
    for point in points:
        alike.setdefault((point.name, tuple(point.labels.items())), []).append(point)
    for (name, labels), same in alike.items():
        across = "min" if name.endswith("_created") else entry.across if entry else "sum"
        value = _joined([point.value for point in same], across, members)
        metric.samples.append(Sample(name, dict(labels), value, None, _newest(same)))
    return metric


def _joined(values: list[float], across: str, members: int) -> float:
    if across == "mean":
        return sum(values) / members
    if across == "max":
        return max(values)
    return min(values) if across == "min" else sum(values)


def _newest(points: list[_Point]) -> Exemplar | None:
    marks = [point.exemplar for point in points if point.exemplar is not None]
    if not marks:
        return None
    labels, value, at_seconds = max(marks, key=lambda mark: mark[2])
    return Exemplar(labels, value, at_seconds or None)
