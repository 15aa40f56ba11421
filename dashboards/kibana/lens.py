"""Lens charts. A chart is written once and becomes Kibana's object and Elasticsearch's aggregation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from dashboards.kibana.saved import SavedObject
from dashboards.kibana.views import View

_LAYER = "layer"
Shape = Literal["bar_stacked", "bar_horizontal", "line", "table"]
Operation = Literal["max", "count"]


@dataclass(frozen=True, slots=True)
class Figure:
    """What is drawn of each bucket: its number of documents, or the largest value of a field."""

    label: str
    operation: Operation
    field: str = ""

    def column(self) -> dict[str, Any]:
        """Return the column in Lens' state."""
        return {
            "label": self.label,
            "customLabel": True,
            "dataType": "number",
            "isBucketed": False,
            "operationType": self.operation,
            "scale": "ratio",
            "sourceField": self.field or "___records___",
            "params": {"emptyAsNull": True},
        }


@dataclass(frozen=True, slots=True)
class Chart:
    """``by``: the field whose ``size`` newest values are the buckets; ``split``: each again by another."""

    id: str
    title: str
    description: str
    view: View
    shape: Shape
    by: str
    figures: tuple[Figure, ...]
    split: str = ""
    size: int = 20

    def saved(self) -> SavedObject:
        """Return Kibana's object."""
        kind = "lnsDatatable" if self.shape == "table" else "lnsXY"
        state = {
            "visualization": self._table() if self.shape == "table" else self._xy(),
            "query": {"language": "kuery", "query": ""},
            "filters": [],
            "datasourceStates": {"formBased": {"layers": {_LAYER: self._layer()}}},
        }
        attributes = {
            "title": self.title,
            "description": self.description,
            "visualizationType": kind,
            "state": state,
        }
        reference = (f"indexpattern-datasource-layer-{_LAYER}", "index-pattern", self.view.id)
        return SavedObject("lens", self.id, attributes, (reference,))

    def to_request(self) -> dict[str, Any]:
        """Return the request to Elasticsearch that gives the chart's numbers."""
        inner: dict[str, Any] = {
            f"figure_{index}": {"max": {"field": figure.field}}
            for index, figure in enumerate(self.figures)
            if figure.operation == "max"
        }
        if self.split:
            inner = {"split": {"terms": {"field": self.split}, "aggs": inner}}
        newest = {"newest": {"max": {"field": "@timestamp"}}}
        terms = {"field": self.by, "size": self.size, "order": {"newest": "desc"}}
        return {"size": 0, "aggs": {"by": {"terms": terms, "aggs": {**inner, **newest}}}}

    def _layer(self) -> dict[str, Any]:
        columns = {"by": self._buckets(self.by, self.size)}
        if self.split:
            columns["split"] = self._buckets(self.split, 5)
        columns |= {f"figure_{index}": figure.column() for index, figure in enumerate(self.figures)}
        return {"columns": columns, "columnOrder": list(columns), "incompleteColumns": {}, "sampling": 1}

    def _buckets(self, field: str, size: int) -> dict[str, Any]:
        newest = {
            "dataType": "date",
            "isBucketed": False,
            "operationType": "max",
            "sourceField": "@timestamp",
        }
        return {
            "label": field,
            "dataType": "string",
            "isBucketed": True,
            "operationType": "terms",
            "scale": "ordinal",
            "sourceField": field,
            "params": {
                "size": size,
                "orderBy": {"type": "custom"},
                "orderAgg": {"label": "newest", **newest},
                "orderDirection": "desc",
                "otherBucket": False,
                "missingBucket": False,
            },
        }

    def _accessors(self) -> list[str]:
        return [f"figure_{index}" for index in range(len(self.figures))]

    def _xy(self) -> dict[str, Any]:
        layer: dict[str, Any] = {
            "layerId": _LAYER,
            "layerType": "data",
            "seriesType": self.shape,
            "xAccessor": "by",
            "accessors": self._accessors(),
        }
        if self.split:
            layer["splitAccessor"] = "split"
        return {
            "preferredSeriesType": self.shape,
            "legend": {"isVisible": True, "position": "bottom"},
            "valueLabels": "show",
            "layers": [layer],
        }

    def _table(self) -> dict[str, Any]:
        columns = ["by", *(["split"] if self.split else []), *self._accessors()]
        return {
            "layerId": _LAYER,
            "layerType": "data",
            "columns": [{"columnId": column} for column in columns],
        }
