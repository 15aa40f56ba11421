"""The table of every metric that tidegate emits: one place for name, type, unit, labels and meaning.

The rows stand in `observability.target_names` and `observability.harness_names`; what others emit and our
queries read is in `observability.foreign_names`.
"""

from __future__ import annotations

from observability.harness_names import HARNESS_METRICS
from observability.metric import Half, Kind, Metric
from observability.process_names import PROCESS_METRICS
from observability.target_names import TARGET_METRICS

__all__ = ["BY_NAME", "METRICS", "Half", "Kind", "Metric"]

METRICS: tuple[Metric, ...] = (*TARGET_METRICS, *HARNESS_METRICS, *PROCESS_METRICS)

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}
