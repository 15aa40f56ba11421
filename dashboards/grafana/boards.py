"""The table of dashboards."""

from __future__ import annotations

from dashboards.grafana import any_vllm, compare, generator_health, resources, run, where_the_time_goes
from dashboards.grafana.spec import Board

BOARDS: tuple[Board, ...] = (
    run.BOARD,
    where_the_time_goes.BOARD,
    resources.BOARD,
    generator_health.BOARD,
    compare.BOARD,
    any_vllm.BOARD,
)
