"""Readings of every NVIDIA GPU, taken when a page is scraped; no sample at all where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from observability.names import BY_NAME


class GpuCollector(Collector):
    """Memory, utilization and power of every device, labelled with its index."""

    def __init__(self) -> None:
        self._nvml, self._handles = _open_nvml()

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each reading."""
        if not self._handles:
            return
        memory = [self._nvml.nvmlDeviceGetMemoryInfo(handle) for handle in self._handles]
        busy = [self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100 for handle in self._handles]
        watts = [self._nvml.nvmlDeviceGetPowerUsage(handle) / 1000 for handle in self._handles]
        yield _family("tidegate_gpu_memory_used_bytes", [device.used for device in memory])
        yield _family("tidegate_gpu_memory_total_bytes", [device.total for device in memory])
        yield _family("tidegate_gpu_utilization_share", busy)
        yield _family("tidegate_gpu_power_watts", watts)
        yield _family("tidegate_gpu_memory_reserved_bytes", _reserved_bytes())


def _family(name: str, values: list[float]) -> GaugeMetricFamily:
    metric = BY_NAME[name]
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for index, value in enumerate(values):
        family.add_metric([str(index)], value)
    return family


def _reserved_bytes() -> list[float]:
    """Ask torch where this process has loaded it and uses a device; a page is no reason to load either."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return []
    return [float(torch.cuda.memory_reserved(index)) for index in range(torch.cuda.device_count())]


def _open_nvml() -> tuple[Any, list[Any]]:
    """Return (module, handles); (None, []) without the library, the driver or a device."""
    try:
        import pynvml
    except ImportError:
        return None, []
    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        return None, []
    return pynvml, [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
