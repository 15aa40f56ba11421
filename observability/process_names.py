"""What both halves read from the operating system and the GPU."""

from __future__ import annotations

from observability.metric import Metric

PROCESS_METRICS: tuple[Metric, ...] = (
    Metric("tidegate_process_cpu_seconds", "counter", "s", "CPU time of this process.", "both"),
    Metric("tidegate_process_resident_bytes", "gauge", "By", "Resident memory of this process.", "both"),
    Metric("tidegate_process_open_sockets", "gauge", "1", "Open sockets of this process.", "both"),
    # Each process reads the whole device: a group's page has the largest reading, not their sum.
    Metric(
        "tidegate_gpu_memory_used_bytes",
        "gauge",
        "By",
        "Used memory of the GPU.",
        "both",
        ("gpu",),
        across="max",
    ),
    Metric(
        "tidegate_gpu_memory_total_bytes",
        "gauge",
        "By",
        "Memory of the GPU.",
        "both",
        ("gpu",),
        across="max",
    ),
    Metric(
        "tidegate_gpu_memory_reserved_bytes",
        "gauge",
        "By",
        "Memory that this process' torch allocator holds on the GPU, in use or not.",
        "both",
        ("gpu",),
    ),
    Metric(
        "tidegate_gpu_utilization_share",
        "gauge",
        "1",
        "Share of time the GPU was busy, 0 to 1.",
        "both",
        ("gpu",),
        across="max",
    ),
    Metric(
        "tidegate_gpu_power_watts",
        "gauge",
        "W",
        "Power that the GPU draws.",
        "both",
        ("gpu",),
        across="max",
    ),
)
