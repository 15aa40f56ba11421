"""Run folders of every verdict, made from synthetic records by the real summarize() and judge()."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.measure.histogram import LogHistogram
from harness.measure.reconcile import ServerCounts
from harness.measure.record import SCHEMA, Outcome, RequestRecord
from harness.measure.records import read_records
from harness.measure.summarize import summarize
from harness.measure.summary import Capacity
from harness.measure.worker_report import Clock, WorkerReport, read_worker_reports
from harness.scenario.load import dump, load_scenario
from harness.scenario.objective import objectives
from harness.verdict.judge import judge
from tests.harness.report.synthetic import CALM_RATE, SALE_RATE, STAGES, Shape, gaps_ns, records

START_WALL_NS = 1_790_000_000_000_000_000
ENVIRONMENT = {
    "python": "3.11.9",
    "packages": {"tidegate": "0.1.0", "locust": "2.47.1", "gevent": "25.9.1", "httptools": "0.7.1"},
    "system": "Linux 6.8.0",
    "cpu": "Example CPU @ 2.60GHz",
    "cores": 16,
    "memory_bytes": 67_430_125_568,
    "open_files_soft": 1_048_576,
    "prompt_length_basis": "calibrated characters",
}

SCENARIO = f"""
name: flash-sale
description: A sale opens at 40 s. Three times the calm load arrives within a second and fades over a minute.
seed: 7
target:
  url: http://127.0.0.1:8000
  model: smollm2-135m
workload: {{prompt_tokens: {{median: 120, sigma: 0.6}}, output_tokens: {{median: 50, sigma: 0.5}}}}
stages:
  - {{name: {STAGES[0][0]}, duration: {STAGES[0][1]:g}s, rate: {CALM_RATE}/s}}
  - {{name: {STAGES[1][0]}, duration: {STAGES[1][1]:g}s, rate: {SALE_RATE}/s}}
  - name: {STAGES[2][0]}
    duration: {STAGES[2][1]:g}s
    decay: {{from: {SALE_RATE}/s, to: {CALM_RATE}/s, half_life: 9s}}
  - {{name: {STAGES[3][0]}, duration: {STAGES[3][1]:g}s, rate: {CALM_RATE}/s}}
spike: {{stage: sale, baseline: calm}}
slos:
"""

SLOS = """
  - {name: calm-ttft, metric: ttft, percentile: 95, at_most: 250ms, stages: [calm, after]}
  - {name: sale-ttft, metric: ttft, percentile: 90, at_most: 2s, stages: [sale, fade]}
  - {name: whole-e2e, metric: e2e, percentile: 50, at_most: 6s}
  - {name: errors, metric: error_share, at_most: 1%}
  - {name: refusals, metric: shed_share, at_most: 5%}
  - {name: recovery, metric: time_to_recover, at_most: 45s}
"""
TIGHT_SLO = """
  - {name: calm-ttft-p99, metric: ttft, percentile: 99, at_most: 125ms, stages: [calm]}
  - {name: errors, metric: error_share, at_most: 1%}
"""
NO_SLOS = " []\n"


@dataclass(frozen=True)
class Kind:
    """How a run of one verdict is made."""

    shape: Shape = field(default_factory=Shape)
    slos: str = SLOS
    aborted: str | None = None
    lag_ms: float = 0.4
    lose: int = 0


KINDS = {
    "FAIL": Kind(),
    "PASS": Kind(Shape(load=0.45)),
    "INCONCLUSIVE": Kind(Shape(load=0.45), TIGHT_SLO),
    "INVALID": Kind(Shape(send_delay_seconds=0.09), lag_ms=70.0, lose=14),
    "ABORTED": Kind(Shape(stop_seconds=58.0), aborted="stopped by the user after 58 s"),
}


def write_run(run_dir: Path, kind: Kind, run_id: str = "20260917-141320-flash-sale") -> Path:
    """Write a complete run folder and return it."""
    run_dir.mkdir(parents=True, exist_ok=True)
    scenario_file = run_dir / "scenario.yaml"
    scenario_file.write_text(
        SCENARIO.rstrip("\n") + ("" if kind.slos == NO_SLOS else "\n") + kind.slos.lstrip("\n")
    )
    scenario = load_scenario(scenario_file)
    scenario_file.write_text(dump(scenario))
    made = records(kind.shape)
    _write_records(run_dir, made[: len(made) - kind.lose])
    _worker(made, kind).write(run_dir)
    (run_dir / "environment.json").write_text(json.dumps(ENVIRONMENT))
    (run_dir / "telemetry.json").write_text(
        json.dumps({"logs": {"sent": 812, "acknowledged": 812, "dropped": 0}})
    )
    stated = objectives(scenario)
    read = read_records(run_dir)
    summary = summarize(
        scenario,
        read,
        read_worker_reports(run_dir),
        stated,
        ENVIRONMENT,
        _server_counts(made),
        run_id=run_id,
        capacity=Capacity(31.4, 48, 1413, 45.0),
        aborted=kind.aborted is not None,
    )
    (run_dir / "summary.json").write_text(summary.to_json())
    (run_dir / "verdict.json").write_text(judge(summary, read, stated, scenario, kind.aborted).to_json())
    return run_dir


def _write_records(run_dir: Path, made: list[RequestRecord]) -> None:
    rows = [{name: getattr(record, name) for name in SCHEMA.names} for record in made]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), run_dir / "records-0.parquet")


def _worker(made: list[RequestRecord], kind: Kind) -> WorkerReport:
    rng = np.random.default_rng(3)
    lag = LogHistogram()
    lag.add_many((rng.gamma(2, kind.lag_ms / 2, 3200) * 1e6).astype(np.int64))
    return WorkerReport(
        worker=0,
        start_wall_ns=START_WALL_NS,
        planned=len(made),
        recorded=len(made),
        sent=sum(record.sent_ns is not None for record in made),
        loop_lag=lag,
        itl=tuple(_gaps(made, stage, rng) for stage in range(len(STAGES))),
        clock=Clock(1_000_000_000_000, 1_000_000_240_000),
        cpu_seconds=38.2,
        elapsed_seconds=164.0,
        peak_rss_bytes=187_432_960,
        reconnects=2,
    )


def _gaps(made: list[RequestRecord], stage: int, rng: np.random.Generator) -> LogHistogram:
    histogram = LogHistogram()
    number = sum(max(record.chunks - 1, 0) for record in made if record.stage == stage)
    histogram.add_many(gaps_ns(rng, number))
    return histogram


def _server_counts(made: list[RequestRecord]) -> ServerCounts:
    answered = [record for record in made if record.outcome is Outcome.OK]
    return ServerCounts("tidegate", len(answered), sum(record.output_tokens for record in answered))
