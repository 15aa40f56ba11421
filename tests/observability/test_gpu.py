"""Readings of a GPU, where there is none: NVML and torch as their documentation describes them."""

import sys
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from observability.gpu import GpuCollector

GIB = 2**30
MEMORY = {
    "one": SimpleNamespace(used=3 * GIB, total=80 * GIB),
    "two": SimpleNamespace(used=1, total=40 * GIB),
}
NVML = SimpleNamespace(
    nvmlDeviceGetMemoryInfo=MEMORY.__getitem__,
    nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=75 if handle == "one" else 0, memory=9),
    nvmlDeviceGetPowerUsage=lambda handle: 350_500 if handle == "one" else 0,  # milliwatts
)


def page(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    monkeypatch.setattr("observability.gpu._open_nvml", lambda: (NVML, ["one", "two"]))
    registry = CollectorRegistry()
    registry.register(GpuCollector())
    return registry


def test_each_device_tells_its_memory_its_load_and_its_power(monkeypatch: pytest.MonkeyPatch):
    value = page(monkeypatch).get_sample_value
    assert value("tidegate_gpu_memory_used_bytes", {"gpu": "0"}) == 3 * GIB
    assert value("tidegate_gpu_memory_total_bytes", {"gpu": "1"}) == 40 * GIB
    assert value("tidegate_gpu_utilization_share", {"gpu": "0"}) == 0.75
    assert value("tidegate_gpu_power_watts", {"gpu": "0"}) == 350.5


def test_the_allocator_is_asked_only_where_it_is_in_use(monkeypatch: pytest.MonkeyPatch):
    registry = page(monkeypatch)
    cuda = SimpleNamespace(
        is_initialized=lambda: False, device_count=lambda: 1, memory_reserved=lambda _: 5 * GIB
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert registry.get_sample_value("tidegate_gpu_memory_reserved_bytes", {"gpu": "0"}) is None
    cuda.is_initialized = lambda: True
    assert registry.get_sample_value("tidegate_gpu_memory_reserved_bytes", {"gpu": "0"}) == 5 * GIB


def test_without_a_device_there_is_no_sample(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("observability.gpu._open_nvml", lambda: (None, []))
    assert list(GpuCollector().collect()) == []
