"""The run's summary: values only, written to ``summary.json`` and read by verdict and report.

Durations are seconds, rates are per second, shares are 0..1. +inf means "not within the run" (in JSON
``"+Inf"``); nan means "no data" (in JSON ``null``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.measure import codec
from harness.measure.reception import Reception

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """One latency over ``n`` offered requests, of which ``n_failed`` count as +inf.

    ``p99_ci`` is the two-sided 95 % interval (None: too few samples). ``mean_ok``, ``max_ok`` and ``over_ok``
    (keys p50, p90, p99) look at the successes only, and must be labelled so. For ITL ``n`` counts gaps.
    """

    n: int
    n_failed: int
    p50: float
    p90: float
    p95: float
    p99: float
    p999: float
    mean_ok: float
    max_ok: float
    p99_ci: tuple[float, float] | None
    over_ok: dict[str, float]


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One stage, or the whole run (name ``whole``).

    Counts, shares, goodput and latencies belong to the requests that were **due** in the stage.
    ``completed_rate`` and ``output_tokens_per_second`` belong to its **time window**, whoever was due when.
    ``completed`` counts answers that ended by themselves: sent, and neither cancelled nor dropped.
    ``latencies`` has the keys ttft, ttft_service, e2e, tpot, schedule_delay. ``itl_histogram`` is
    ``LogHistogram.to_dict`` of every gap measured in the stage, those of failed requests included.
    """

    name: str
    start_seconds: float
    end_seconds: float
    offered: int
    sent: int
    completed: int
    ok: int
    outcomes: dict[str, int]
    offered_rate: float
    completed_rate: float
    goodput: float
    attainment: float
    shed_share: float
    error_share: float
    input_tokens: int
    output_tokens: int
    output_tokens_per_second: float
    latencies: dict[str, LatencySummary]
    itl: LatencySummary
    itl_histogram: dict[str, Any]


@dataclass(frozen=True, slots=True)
class WorkerClock:
    """A worker's wall clock against the master's: worker − master before the load, its change until after.

    The truth lies within ± ``uncertainty_seconds``, the wider one of both comparisons. Drift is nan where
    they were compared once.
    """

    worker: int
    offset_seconds: float
    uncertainty_seconds: float
    drift_seconds: float
    drift_ppm: float


@dataclass(frozen=True, slots=True)
class GeneratorHealth:
    """How well the generator itself did.

    Schedule delay is over sent requests of the whole run. Loop lag is the **worst worker's**: one starved
    worker among many does not show in a merged percentile. ``cpu_share`` is CPU seconds ÷ elapsed seconds of
    each worker. ``planned`` counts the arrivals of the plan, and ``lost_records`` those without a record.
    """

    planned: int
    sent: int
    schedule_delay_p50_seconds: float
    schedule_delay_p99_seconds: float
    schedule_delay_max_seconds: float
    loop_lag_p50_seconds: float
    loop_lag_p99_seconds: float
    loop_lag_max_seconds: float
    dropped: int
    dropped_share: float
    lost_records: int
    duplicate_records: int
    workers: int
    workers_lost: int
    clock_jump_seconds: float
    reconnects: int
    cpu_share: tuple[float, ...]
    peak_rss_bytes: tuple[int, ...]
    spoiled: tuple[str, ...]
    clocks: tuple[WorkerClock, ...] = ()
    reception: Reception | None = None


@dataclass(frozen=True, slots=True)
class FlashSale:
    """The spike's own results; see ``flash_sale`` for each definition.

    ``spike_start_seconds``, ``spike_end_seconds`` and ``peak_backlog_at_seconds`` count from the run's start.
    ``time_to_first_breach_seconds`` counts from the spike's start, ``drain_seconds`` and ``recover_seconds``
    from its end; +inf when it did not happen within the ``*_observed_seconds`` after the spike's end.
    """

    spike_start_seconds: float
    spike_end_seconds: float
    time_to_first_breach_seconds: float
    peak_backlog: int
    peak_backlog_at_seconds: float
    baseline_backlog: int
    shed_share: float
    drain_seconds: float
    drain_observed_seconds: float
    recover_seconds: float
    recover_observed_seconds: float
    baseline_attainment: float


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """1 s bins; ``t`` is the bin's start in seconds after the run's start.

    offered, goodput, attainment and the percentiles: by the second in which the request was **due**; sent: by
    its send; completed, ok, rejected, failed: by its end; in_flight: sent and open at the bin's end.
    ``*_p50`` and ``*_p99`` are over offered requests (+inf when failures reach the percentile); ``*_ok_p*``
    are over successes. nan: no request in the bin. Loop lag has no series: workers keep a histogram.
    """

    t: tuple[float, ...]
    offered: tuple[int, ...]
    sent: tuple[int, ...]
    completed: tuple[int, ...]
    ok: tuple[int, ...]
    rejected: tuple[int, ...]
    failed: tuple[int, ...]
    in_flight: tuple[int, ...]
    goodput: tuple[int, ...]
    ttft_p50: tuple[float, ...]
    ttft_p99: tuple[float, ...]
    ttft_ok_p50: tuple[float, ...]
    ttft_ok_p99: tuple[float, ...]
    e2e_p50: tuple[float, ...]
    e2e_p99: tuple[float, ...]
    e2e_ok_p50: tuple[float, ...]
    e2e_ok_p99: tuple[float, ...]
    schedule_delay_p99: tuple[float, ...]
    output_tokens: tuple[int, ...]  # by the second in which the request ended


@dataclass(frozen=True, slots=True)
class Heatmap:
    """TTFT of successes: ``counts[i][j]`` requests due in time bin i with a TTFT in latency bin j.

    ``latency_edges_seconds`` is logarithmic, has one entry more than a row of ``counts``, and its first and
    last bins also hold what lies beyond them. ``without_ttft[i]``: requests of the bin that have none.
    """

    time_edges_seconds: tuple[float, ...]
    latency_edges_seconds: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    without_ttft: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the closed-loop probe before the run found."""

    requests_per_second: float
    concurrency: int
    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Client's counts against the server's over the run. None: the server does not tell.

    ``client_*`` are over answers that the client saw end; ``unseen_*`` is how much more the server may
    rightly have counted (requests whose end the client did not see).
    """

    kind: str
    client_requests: int
    server_requests: int | None
    unseen_requests: int
    requests_agree: bool | None
    client_output_tokens: int
    server_output_tokens: int | None
    unseen_output_tokens: int
    output_tokens_agree: bool | None


@dataclass(frozen=True, slots=True)
class WorkerPeak:
    """One worker when most of its streams were open. ``proportional_bytes``: None where it cannot be read."""

    worker: int
    in_flight: int
    resident_before_bytes: int
    resident_bytes: int
    proportional_bytes: int | None


@dataclass(frozen=True, slots=True)
class OpenStreams:
    """What holding the streams took; see ``open_streams``. nan: not known, or too few streams to tell.

    ``peak`` adds up the workers' peaks. ``all_open_seconds`` is from the first connect to the last first
    token. ``kernel_bytes_per_stream`` counts what the master's machine holds of each: both ends of a
    connection to a target on it. ``taken_bytes`` is all that the run took from the machine's free memory.
    """

    peak: int
    workers: tuple[WorkerPeak, ...]
    all_open_seconds: float
    client_bytes_per_stream: float
    kernel_bytes_per_stream: float
    target_bytes_per_stream: float
    target_open: int | None
    taken_bytes: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that verdict and report need beside the raw records.

    ``near_floor`` names the measured latencies of which this machine's floor is a third or more:
    ``whole.ttft.p50``; none where the machine was not calibrated (``environment.calibration_floor``).
    """

    run_id: str
    scenario: str
    whole: StageSummary
    stages: tuple[StageSummary, ...]
    generator: GeneratorHealth
    series: TimeSeries
    heatmap: Heatmap
    spike: FlashSale | None = None
    capacity: Capacity | None = None
    reconciliation: Reconciliation | None = None
    open_streams: OpenStreams | None = None
    aborted: bool = False
    environment: dict[str, Any] = field(default_factory=dict)
    near_floor: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Return the text of ``summary.json``."""
        return codec.to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Summary:
        """Read ``summary.json``. Raise UsageError when it is not one, or of another schema version."""
        return codec.from_json(cls, text, SCHEMA_VERSION)
