"""What it costs: processor, memory, sockets and loop lag of both sides, the GPU, the machine."""

from __future__ import annotations

from dashboards.grafana.common import BLUE, GREEN, GREY, LINKS, ORANGE, RED, RUN_VARIABLES
from dashboards.grafana.promql import CHOSEN_TARGET, of_run, rate, run_limit, run_quantile, target_quantile
from dashboards.grafana.spec import Board, Panel, Row, Series

_GPU = "max by (instance, gpu)"


def _both(series: str, per_second: bool = False) -> tuple[Series, ...]:
    """Show each worker of the chosen run and each chosen target."""
    vector = rate(series) if per_second else series
    target = f"{vector} and on (job, instance) tidegate_target_info{{{CHOSEN_TARGET}}}"
    return (
        Series(f"sum by (instance) {of_run(vector)}", "generator {{instance}}", color=BLUE),
        Series(f"sum by (instance) ({target})", "target {{instance}}", color=ORANGE),
    )


_CPU = Panel(
    "Processor",
    "Cores in use by each worker of the generator and by the target. A worker near 1 sends late.",
    "short",
    _both("tidegate_process_cpu_seconds_total", per_second=True),
    decimals=2,
)
_MEMORY = Panel(
    "Memory",
    "Resident memory. It grows with open streams and must fall again.",
    "bytes",
    _both("tidegate_process_resident_bytes"),
)
_SOCKETS = Panel(
    "Sockets",
    "Open sockets. The generator's follow its open requests; a target's that keep growing are leaking.",
    "short",
    _both("tidegate_process_open_sockets"),
)
_LAG = Panel(
    "Event-loop lag, P99",
    "How late each side's loop came round. Above the dashed line the run is INVALID: its times "
    "would be ours.",
    "s",
    (
        Series(run_quantile(0.99, "tidegate_loop_lag_seconds"), "generator", color=BLUE),
        Series(target_quantile(0.99, "tidegate_target_loop_lag_seconds"), "target", color=ORANGE),
        Series(
            run_limit("tidegate_lateness_limit_seconds", 'what="loop_lag"'),
            "generator's limit",
            role="limit",
            color=RED,
        ),
    ),
    log=True,
    minimum=None,
)

_NO_GPU = "no GPU"
_GPU_PANELS = (
    Panel(
        "GPU memory",
        "Of the whole device: used, and all there is. reserved is what the target's allocator "
        "holds, used or not.",
        "bytes",
        (
            Series(f"{_GPU} (tidegate_gpu_memory_total_bytes)", "total {{gpu}}", role="limit", color=GREY),
            Series(f"{_GPU} (tidegate_gpu_memory_reserved_bytes)", "reserved {{gpu}}", color=ORANGE),
            Series(f"{_GPU} (tidegate_gpu_memory_used_bytes)", "used {{gpu}}", color=BLUE),
        ),
        width=8,
        height=6,
        no_value=_NO_GPU,
    ),
    Panel(
        "GPU utilization",
        "Share of time in which some kernel ran. 100 % is busy, not necessarily full.",
        "percentunit",
        (Series(f"{_GPU} (tidegate_gpu_utilization_share)", "GPU {{gpu}}", color=GREEN),),
        width=8,
        height=6,
        maximum=1,
        no_value=_NO_GPU,
    ),
    Panel(
        "GPU power",
        "Watts drawn now. At the board's limit the clock falls, and steps take longer.",
        "watt",
        (Series(f"{_GPU} (tidegate_gpu_power_watts)", "GPU {{gpu}}", color=RED),),
        width=8,
        height=6,
        no_value=_NO_GPU,
    ),
)

_NODE_PANELS = (
    Panel(
        "Machine: processor",
        "Share of all cores by what they did. steal is time that the host gave to others: distrust the run.",
        "percentunit",
        (
            Series(
                'sum by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[$__rate_interval]))'
                ' / scalar(count(node_cpu_seconds_total{mode="idle"}))',
                "{{mode}}",
            ),
        ),
        width=6,
        stacked=True,
        maximum=1,
    ),
    Panel(
        "Machine: memory",
        "Memory of the whole machine, and what of it can be had without swapping.",
        "bytes",
        (
            Series("max(node_memory_MemTotal_bytes)", "total", role="limit", color=GREY),
            Series("min(node_memory_MemAvailable_bytes)", "available", color=GREEN),
        ),
        width=6,
    ),
    Panel(
        "Machine: TCP sockets",
        "Sockets in use on the machine, whoever holds them.",
        "short",
        (Series("max(node_sockstat_TCP_inuse)", "sockets", color=BLUE),),
        width=6,
    ),
    Panel(
        "Machine: network",
        "Bytes per second through all its devices, the loopback among them.",
        "Bps",
        (
            Series("sum(rate(node_network_receive_bytes_total[$__rate_interval]))", "in", color=BLUE),
            Series("sum(rate(node_network_transmit_bytes_total[$__rate_interval]))", "out", color=ORANGE),
        ),
        width=6,
    ),
)

BOARD = Board(
    "tidegate-resources",
    "tidegate / Resources",
    "What generator, target, GPU and machine use while the load is on.",
    (
        Row("Generator and target", (_CPU, _MEMORY, _SOCKETS, _LAG)),
        Row("Machine", _NODE_PANELS),
        Row("GPU", _GPU_PANELS),
    ),
    RUN_VARIABLES,
    LINKS,
)
