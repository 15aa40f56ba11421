"""Records, reports and scenarios for the tests, from the few facts that a test states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.measure.histogram import LogHistogram
from harness.measure.record import SCHEMA, Outcome, RequestRecord, TokenSource
from harness.measure.record_batch import RecordBatch
from harness.measure.records import Records, from_tables
from harness.measure.worker_report import Clock, WorkerReport
from harness.scenario.model import Limits, Rate, Scenario, Spike, Stage
from harness.scenario.objective import Objective

MS = 1_000_000
SECOND = 1_000_000_000


def record(
    seq: int,
    due: float,
    *,
    ttft: float = 0.1,
    e2e: float = 0.5,
    outcome: Outcome = Outcome.OK,
    stage: int = 0,
    delay: float = 0.001,
    sent: bool | None = None,
    **more: Any,
) -> RequestRecord:
    """Return one record; all times in seconds. A success has 5 tokens in 5 chunks; a failure ends at e2e."""
    ok = outcome is Outcome.OK
    was_sent = outcome not in (Outcome.DROPPED, Outcome.CANCELLED, Outcome.REFUSED) if sent is None else sent
    due_ns = round(due * SECOND)
    facts: dict[str, Any] = {
        "worker": 0,
        "trace_id": f"{seq:032x}",
        "sampled": False,
        "end_ns": due_ns + round(e2e * SECOND) if was_sent else due_ns,
        "sent_ns": due_ns + round(delay * SECOND) if was_sent else None,
        "first_token_ns": due_ns + round(ttft * SECOND) if ok else None,
        "last_token_ns": due_ns + round(e2e * SECOND) if ok else None,
        "input_tokens": 10,
        "output_tokens": 5 if ok else 0,
        "max_tokens": 5,
        "chunks": 5 if ok else 0,
        "token_source": TokenSource.USAGE if ok else TokenSource.NONE,
    }
    return RequestRecord(seq=seq, stage=stage, intended_ns=due_ns, outcome=outcome, **(facts | more))


def requests_in(batch: RecordBatch) -> list[RequestRecord]:
    """Return a batch's records one by one, as they would be read from its file."""
    names = [field.name for field in fields(RequestRecord)]
    rows = batch.to_arrow().select(names).to_pylist()
    for row in rows:
        row |= {"outcome": Outcome(row["outcome"]), "token_source": TokenSource(row["token_source"])}
    return [RequestRecord(**row) for row in rows]


def table_of(rows: Iterable[RequestRecord]) -> pa.Table:
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=SCHEMA)


def records_of(rows: Iterable[RequestRecord]) -> Records:
    return from_tables([table_of(rows)])


def write_records(run_dir: Path, worker: int, rows: Iterable[RequestRecord]) -> None:
    pq.write_table(table_of(rows), run_dir / f"records-{worker}.parquet")


def histogram_of(seconds: Iterable[float]) -> LogHistogram:
    histogram = LogHistogram()
    for value in seconds:
        histogram.add(round(value * SECOND))
    return histogram


def report(worker: int = 0, planned: int = 0, **more: Any) -> WorkerReport:
    facts: dict[str, Any] = {
        "start_wall_ns": 1_700_000_000 * SECOND,
        "recorded": planned,
        "sent": planned,
        "loop_lag": histogram_of([0.0001] * 100),
        "itl": (histogram_of([0.1] * 4 * planned),),
        "clock": Clock(5 * SECOND, 5 * SECOND),
        "cpu_seconds": 2.0,
        "elapsed_seconds": 10.0,
        "peak_rss_bytes": 100_000_000,
    }
    return WorkerReport(worker=worker, planned=planned, **(facts | more))


def stage(name: str, duration: float, rate: float = 10.0, **shape: Any) -> Stage:
    facts = shape or {"rate": per_second(rate)}
    return Stage(name=name, duration=duration, **facts)


def per_second(value: float) -> Rate:
    return Rate(value, "per_second")


def scenario_of(*stages: Stage, spike: tuple[str, str] | None = None, **limits: Any) -> Scenario:
    return Scenario(
        name="test",
        stages=stages,
        limits=Limits(**limits),
        spike=None if spike is None else Spike(stage=spike[0], baseline=spike[1]),
    )


def objective(metric: str, threshold: float, percentile: float | None = None, **more: Any) -> Objective:
    op = "at_least" if metric in ("attainment", "goodput") else "at_most"
    return Objective(
        name=f"{metric}-objective",
        metric=metric,
        percentile=percentile,
        op=more.pop("op", op),
        threshold=threshold,
        **more,
    )
