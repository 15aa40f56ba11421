"""The counter of shipped log lines, read when the page is: nothing counts twice on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from observability.names import BY_NAME


class LogEntriesCollector(Collector):
    """``watch`` gives it counts by fate; until then the family has no series."""

    def __init__(self) -> None:
        self._counts: Callable[[], Mapping[str, int]] = dict

    def watch(self, counts: Callable[[], Mapping[str, int]]) -> None:
        """Read the counts from here."""
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Yield one sample a fate."""
        entry = BY_NAME["tidegate_target_log_entries"]
        family = CounterMetricFamily(entry.name, entry.help, labels=entry.labels)
        for fate, number in self._counts().items():
            family.add_metric([fate], number)
        yield family
