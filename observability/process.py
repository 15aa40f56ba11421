"""Readings of the process, taken when a page is scraped."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from observability.gpu import GpuCollector
from observability.names import BY_NAME

_OPEN_FILES = "/proc/self/fd"


class ProcessCollector(Collector):
    """CPU seconds, resident bytes and open sockets of this process."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def collect(self) -> Iterator[Metric]:
        """Yield one sample a family."""
        times = self._process.cpu_times()
        cpu = BY_NAME["tidegate_process_cpu_seconds"]
        yield CounterMetricFamily(cpu.name, cpu.help, value=times.user + times.system)
        yield _gauge("tidegate_process_resident_bytes", self._process.memory_info().rss)
        yield _gauge("tidegate_process_open_sockets", _count_open_sockets())


def register_process_collectors(registry: CollectorRegistry) -> None:
    """Add both collectors to a page."""
    registry.register(ProcessCollector())
    registry.register(GpuCollector())


def _count_open_sockets() -> int:
    """Count by the links in /proc: the kernel's tables list every process' sockets.

    With plain names, not `Path` objects: 17,000 of those would hold the interpreter for 150 ms.
    """
    return sum(_is_socket(name) for name in os.listdir(_OPEN_FILES))  # noqa: PTH208


def _is_socket(name: str) -> bool:
    try:
        return os.readlink(f"{_OPEN_FILES}/{name}").startswith("socket:")  # noqa: PTH115
    except FileNotFoundError:  # closed since the listing, as the listing's own descriptor is
        return False


def _gauge(name: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, BY_NAME[name].help, value=value)
