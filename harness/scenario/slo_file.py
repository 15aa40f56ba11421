"""SLO files in OpenSLO v1's shape, with one extension block ``spec.gate``.

``thresholdMetric`` of a latency with ``op: lte, value: 1.5, target: 0.99`` says that 99 % of the offered
requests take at most 1.5 s: the 99th percentile is at most 1.5 s. Of any other metric it bounds the value.
``ratioMetric`` counts good or bad among the offered: ``bad: error_share, target: 0.99`` allows 1 % errors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from harness.errors import UsageError
from harness.scenario.checks import Path as KeyPath
from harness.scenario.checks import Problem
from harness.scenario.document import Document, read_document
from harness.scenario.fields import Slug, Strict
from harness.scenario.metrics import LATENCY_METRICS, Metric, write_threshold
from harness.scenario.mistakes import problems_of
from harness.scenario.model import Slo

_OPS = {"lte": "at_most", "lt": "at_most", "gte": "at_least", "gt": "at_least"}


class MetricName(Strict):
    """The innermost block: the name of one of our metrics."""

    metric: Literal[Metric, "offered"]


class MetricSource(Strict):
    """OpenSLO's metricSource; ``type`` is free text there."""

    type: str = "tidegate"
    spec: MetricName


class SourceBlock(Strict):
    """A block that holds a metricSource."""

    metric_source: MetricSource = Field(alias="metricSource")

    @property
    def metric(self) -> str:
        """Return the metric's name."""
        return self.metric_source.spec.metric


class Ratio(Strict):
    """Good or bad events among the offered requests."""

    counter: bool = True
    good: SourceBlock | None = None
    bad: SourceBlock | None = None
    total: SourceBlock

    @model_validator(mode="after")
    def _is_a_share_of_the_offered(self) -> Self:
        side = self.good if self.bad is None else self.bad if self.good is None else None
        allowed = ("attainment",) if self.bad is None else ("error_share", "shed_share")
        if side is None or side.metric not in allowed or self.total.metric != "offered":
            raise PydanticCustomError(
                "slo",
                "good: attainment, or bad: error_share or shed_share; with total: offered",
            )
        return self

    @property
    def metric(self) -> str:
        """Return the metric whose share the ratio is."""
        return (self.good or self.bad or self.total).metric


class IndicatorSpec(Strict):
    """Exactly one of the two kinds of indicator."""

    threshold_metric: SourceBlock | None = Field(None, alias="thresholdMetric")
    ratio_metric: Ratio | None = Field(None, alias="ratioMetric")

    @model_validator(mode="after")
    def _has_one_kind(self) -> Self:
        if (self.threshold_metric is None) == (self.ratio_metric is None):
            raise PydanticCustomError("slo", "exactly one of thresholdMetric, ratioMetric")
        if self.threshold_metric is not None and self.threshold_metric.metric == "offered":
            raise PydanticCustomError("slo", "a metric that can be bounded; offered is only a ratio's total")
        return self


class Metadata(Strict):
    """OpenSLO's metadata; only the name is used."""

    name: Slug
    displayName: str = ""  # noqa: N815 -- OpenSLO's spelling
    labels: dict[str, Any] = Field(default_factory=dict)
    annotations: dict[str, Any] = Field(default_factory=dict)


class Indicator(Strict):
    """OpenSLO's inline indicator."""

    metadata: Metadata | None = None
    spec: IndicatorSpec


class ObjectiveEntry(Strict):
    """One bound. ``value``: seconds, a share, per second; or a text with its unit (``1.5s``, ``0.6x``)."""

    displayName: str = ""  # noqa: N815 -- OpenSLO's spelling
    op: Literal["lte", "lt", "gte", "gt"] | None = None
    value: float | str | None = None
    target: Annotated[float, Field(gt=0, le=1)] | None = None


class Gate(Strict):
    """Our extension: in which stages the objective is judged."""

    stages: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None


class SloSpec(Strict):
    """OpenSLO's spec. The fields without use here are accepted, so that one file serves other tools too."""

    description: str = ""
    service: str = ""
    indicator: Indicator
    objectives: Annotated[tuple[ObjectiveEntry, ...], Field(strict=False, min_length=1)]
    gate: Gate = Gate()
    timeWindow: Any = None  # noqa: N815 -- OpenSLO's spelling
    budgetingMethod: str = "Occurrences"  # noqa: N815 -- OpenSLO's spelling
    alertPolicies: Any = None  # noqa: N815 -- OpenSLO's spelling


class SloFile(Strict):
    """One file, one SLO."""

    api_version: Literal["openslo/v1"] = Field(alias="apiVersion")
    kind: Literal["SLO"]
    metadata: Metadata
    spec: SloSpec


def read_slo_file(file: Path) -> tuple[Slo, ...]:
    """Return the file's objectives as inline SLOs. Raises UsageError with every mistake in the file."""
    document = read_document(file)
    problems = list(document.duplicates)
    slos: list[Slo] = []
    try:
        parsed = SloFile.model_validate(document.data)
    except ValidationError as error:
        problems += problems_of(error, document, SloFile)
    else:
        _collect(parsed, document, slos, problems)
    if problems:
        raise UsageError(f"{file}: not a valid SLO file", tuple(map(document.mistake, problems)))
    return tuple(slos)


def _collect(parsed: SloFile, document: Document, slos: list[Slo], problems: list[Problem]) -> None:
    for index, entry in enumerate(parsed.spec.objectives):
        path: KeyPath = ("spec", "objectives", index)
        try:
            slos.append(_slo(parsed, entry, index, f"{document.file.parent.name}/{document.file.name}"))
        except ValidationError as error:
            problems.append(Problem(path, document.given(path), error.errors()[0]["msg"]))
        except _EntryError as error:
            problems.append(Problem(path, document.given(path), str(error)))


def _slo(parsed: SloFile, entry: ObjectiveEntry, index: int, source: str) -> Slo:
    spec, name = parsed.spec, parsed.metadata.name
    if len(spec.objectives) > 1:
        name = f"{name}-{index + 1}"
    bound = _ratio_bound(spec.indicator.spec.ratio_metric, entry) or _value_bound(spec.indicator.spec, entry)
    return Slo.model_validate({"name": name, "stages": spec.gate.stages, "source": source, **bound})


def _ratio_bound(ratio: Ratio | None, entry: ObjectiveEntry) -> dict[str, Any] | None:
    if ratio is None:
        return None
    only_target = entry.target is not None and entry.op is None and entry.value is None
    _demand(only_target, "only a target for a ratioMetric, without op and value")
    target = entry.target or 0.0
    if ratio.good is not None:
        return {"metric": ratio.metric, "at_least": target}
    return {"metric": ratio.metric, "at_most": _rounded(1 - target)}


def _value_bound(indicator: IndicatorSpec, entry: ObjectiveEntry) -> dict[str, Any]:
    metric = indicator.threshold_metric.metric if indicator.threshold_metric else ""
    _demand(entry.op is not None and entry.value is not None, "op and value for a thresholdMetric")
    value = write_threshold(metric, entry.value or 0.0)
    bound: dict[str, Any] = {"metric": metric, _OPS[entry.op or "lte"]: value}
    if metric in LATENCY_METRICS:
        _demand(entry.target is not None and entry.target < 1, "a target below 1 for a latency, such as 0.99")
        bound["percentile"] = _rounded((entry.target or 0.0) * 100)
    else:
        _demand(entry.target in (None, 1.0), f"no target for {metric}: its value is bounded")
    return bound


def _demand(holds: bool, allowed: str) -> None:
    if not holds:
        raise _EntryError(allowed)


def _rounded(number: float) -> float:
    """Take away the binary dust of 1 − 0.99 and 0.999 × 100."""
    return round(number, 9)


class _EntryError(ValueError):
    """An objective's entry that does not fit its indicator; the text says what is allowed."""
