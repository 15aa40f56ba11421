"""What a record costs on its way to disk: processor time and bytes. ``python -m benchmarks.records``

The rows are those of a run at 100,000 requests a second: random instants and ids, some failures. The way is
the sink's own, columns to Arrow to Parquet, in its row groups; the reference writes the same rows in the
same row groups with pyarrow's defaults. Times are processor seconds of the whole process, all its threads.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from harness.load.sink import ROW_GROUP_RECORDS
from harness.measure.record import OUTCOMES, SCHEMA, TOKEN_SOURCES, Outcome, TokenSource
from harness.measure.record_batch import RecordBatch
from harness.measure.record_file import open_record_file
from harness.measure.timings import MISSING
from observability.trace_words import sampled_words, trace_words

RECORDS = 10 * ROW_GROUP_RECORDS
RATE_PER_SECOND = 100_000
ROUNDS = 5
WORDS = ("", "stop", "length", "read timeout", "ECONNREFUSED", "rate_limit_exceeded", "max_in_flight")
SHARES = {
    Outcome.OK: 0.95,
    Outcome.REJECTED: 0.03,
    Outcome.TIMEOUT: 0.01,
    Outcome.REFUSED: 0.005,
    Outcome.DROPPED: 0.005,
}

Draws = np.random.Generator
Integers = NDArray[np.int64]


def realistic(n: int) -> RecordBatch:
    """Return n records in the order in which their requests end, as the engine hands them over."""
    draws = np.random.default_rng(20)
    codes = [OUTCOMES.index(outcome) for outcome in SHARES]
    outcome = draws.choice(codes, n, p=list(SHARES.values())).astype(np.uint8)
    columns: dict[str, Any] = instants(draws, outcome) | counts(draws, outcome)
    trace = trace_words("benchmark", columns["seq"])
    columns |= {"trace": trace, "sampled": sampled_words(trace, 0.05), "outcome": outcome}
    order = np.argsort(columns["end_ns"], kind="stable")
    return RecordBatch(0, WORDS, **{name: column[order] for name, column in columns.items()})


def instants(draws: Draws, outcome: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Return what happened when: Poisson arrivals, sent within microseconds, about a second of answer."""
    n = len(outcome)
    ok, sent, answered = is_any(outcome, Outcome.OK), *reached(outcome)
    intended_ns = np.cumsum(draws.exponential(1e9 / RATE_PER_SECOND, n)).astype(np.int64)
    sent_ns = intended_ns + draws.gamma(2, 5_000, n).astype(np.int64)
    first_ns = sent_ns + draws.lognormal(np.log(1e8), 0.4, n).astype(np.int64)
    last_ns = first_ns + draws.normal(10**9, 10**8, n).astype(np.int64)
    end_ns = last_ns + draws.integers(10_000, 50_000, n)
    return {
        "seq": np.arange(n),
        "stage": (intended_ns > intended_ns[n // 2]).astype(np.uint8),
        "intended_ns": intended_ns,
        "sent_ns": where(sent, sent_ns),
        "connected_ns": where(sent & (draws.random(n) < 0.02), sent_ns + draws.integers(20_000, 90_000, n)),
        "first_byte_ns": where(answered, first_ns - draws.integers(2_000, 9_000, n)),
        "first_token_ns": where(ok, first_ns),
        "last_token_ns": where(ok, last_ns),
        "end_ns": np.where(sent, end_ns, intended_ns + 2_000),
        "max_gap_ns": np.where(ok, draws.gamma(9, 2e6, n).astype(np.int64), 0),
    }


def counts(draws: Draws, outcome: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Return how much was asked and answered, and the words of each end."""
    n = len(outcome)
    ok, (_, answered) = is_any(outcome, Outcome.OK), reached(outcome)
    tokens = np.where(ok, np.minimum(draws.geometric(1 / 64, n), 256), 0).astype(np.int32)
    status = np.where(is_any(outcome, Outcome.REJECTED), 429, 200)
    source = np.where(ok, TOKEN_SOURCES.index(TokenSource.USAGE), TOKEN_SOURCES.index(TokenSource.NONE))
    return {
        "http_status": where(answered, status).astype(np.int16),
        "error": np.where(ok, 0, draws.integers(3, len(WORDS), n)).astype(np.uint16),
        "finish_reason": np.where(ok, 1 + (tokens == 256), 0).astype(np.uint16),
        "input_tokens": draws.integers(20, 2000, n).astype(np.int32),
        "output_tokens": tokens,
        "max_tokens": np.full(n, 256, np.int32),
        "chunks": tokens,
        "cached_tokens": where(ok, draws.integers(0, 16, n) * 16).astype(np.int32),
        "token_source": source.astype(np.uint8),
        "bytes_received": np.where(answered, 400 + tokens * 180 + draws.integers(0, 99, n), 0),
        "reconnects": (draws.random(n) < 0.001).astype(np.uint8),
    }


def is_any(outcome: NDArray[np.uint8], *wanted: Outcome) -> NDArray[np.bool_]:
    return np.isin(outcome, [OUTCOMES.index(o) for o in wanted])


def reached(outcome: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which requests were sent, and which got at least the head of an answer."""
    return ~is_any(outcome, Outcome.DROPPED), is_any(outcome, Outcome.OK, Outcome.REJECTED)


def where(happened: NDArray[np.bool_], values: Integers) -> Integers:
    return np.where(happened, values, MISSING)


def write(batch: RecordBatch, path: Path, make_writer: Callable[[Path], Any]) -> tuple[float, int]:
    """Return processor seconds and the file's bytes."""
    began = time.process_time()
    writer = make_writer(path)
    for start in range(0, len(batch), ROW_GROUP_RECORDS):
        writer.write_batch(batch.rows(start, start + ROW_GROUP_RECORDS).to_arrow())
    writer.close()
    return time.process_time() - began, path.stat().st_size


def with_defaults(path: Path) -> Any:
    return pq.ParquetWriter(path, SCHEMA)


def say(name: str, value: float, unit: str, reference_value: float) -> None:
    line = {"name": name, "value": round(value, 1), "unit": unit, "reference": "pyarrow's defaults"}
    ratio = round(value / reference_value, 3)
    print(json.dumps({**line, "reference_value": round(reference_value, 1), "ratio": ratio}), flush=True)


def main() -> None:
    batch = realistic(RECORDS)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "records-0.parquet"
        rounds = [
            (write(batch, path, open_record_file), write(batch, path, with_defaults)) for _ in range(ROUNDS)
        ]
    ours, theirs = (
        (RECORDS / median(seconds for seconds, _ in runs), runs[0][1] / RECORDS)
        for runs in zip(*rounds, strict=True)
    )
    say("records_per_second", ours[0], "records/core-second", theirs[0])
    say("bytes_per_record", ours[1], "bytes", theirs[1])


if __name__ == "__main__":
    main()
