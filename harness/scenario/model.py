"""The scenario as a value: what is sent where, in which stages, and what must hold.

All durations are seconds, all lengths are tokens, all rates are ``Rate``: per second, or ``x``, multiples of
the target's capacity, which ``harness.scenario.load.resolve`` replaces by absolute rates.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from harness.scenario import checks
from harness.scenario.fields import (
    DurationSeconds,
    FilePath,
    PageUrl,
    PositiveSeconds,
    RateField,
    Share,
    Slug,
    SourceAddresses,
    Speed,
    Strict,
    Url,
    is_from_file,
)
from harness.scenario.metrics import METRIC_NAMES, Metric, slo_problem
from harness.scenario.units import Rate

__all__ = [
    "CapacityProbe",
    "Decay",
    "Gamma",
    "GammaArrivals",
    "Limits",
    "Lognormal",
    "Metric",
    "Ramp",
    "Rate",
    "Scenario",
    "SharedPrefix",
    "Slo",
    "Spike",
    "Stage",
    "Target",
    "TokenLength",
    "TraceReplay",
    "WorkloadSpec",
]


DEFAULT_STREAMS_PER_CHANNEL = 100
"""What HTTP/2 servers usually allow, and what its specification recommends as the least."""


class Target(Strict):
    """The server under test. ``url`` is its base without ``/v1``; None until the command line gives one.

    The protocol follows from the URL's scheme, and ``api`` from the protocol, where they are not given.
    """

    url: Url | None = None
    protocol: Literal["http", "vllm-grpc"] = "http"
    """``vllm-grpc``: vLLM's engine service. It takes text or token ids and returns token ids."""
    api: Literal["chat", "completions"] = "chat"
    model: Annotated[str, Field(min_length=1)] | None = None
    api_key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    """The NAME of the environment variable that holds the bearer token; the token itself is never stored."""
    stream: bool = True
    connect_timeout: PositiveSeconds = 5.0
    read_timeout: PositiveSeconds = 30.0
    """The longest silence between two bytes of an answer."""
    request_timeout: PositiveSeconds = 120.0
    """From send to the end of the answer."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    ignore_eos: bool = False
    verify_tls: bool = True
    ca_file: FilePath | None = None
    streams_per_channel: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """gRPC: how many requests share a connection at once; None: 100. One more opens another connection."""
    source_addresses: SourceAddresses | None = None
    """Where connections go out from, in turn: one address has some 28,000 ports. None: the system chooses."""
    connection: Literal["keep_alive", "close"] = "keep_alive"
    """``close``: a connection of its own for each request, closed after the answer."""
    metrics_url: PageUrl | None = None
    """The page with the server's counters; None: ``/metrics`` of an HTTP target, and none of a gRPC one."""

    @model_validator(mode="before")
    @classmethod
    def _follow_from_each_other(cls, given: object) -> object:
        return checks.with_protocol(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        problem = next(checks.target_problems(self.model_dump(mode="json", exclude_none=True)), None)
        if problem is not None:
            raise PydanticCustomError("cross", "{problem}", {"problem": str(problem)})
        return self


class Lognormal(Strict):
    """Token counts whose logarithm is normal; values outside [min, max] are drawn to the nearest bound."""

    median: Annotated[float, Field(gt=0, le=10_000_000)]
    sigma: Annotated[float, Field(ge=0, le=5)]
    min: Annotated[int, Field(ge=1)] = 1
    max: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _bounds_hold_the_median(self) -> Self:
        if self.max is not None and not self.min <= self.median <= self.max:
            raise PydanticCustomError("bounds", "min ≤ median ≤ max")
        if self.max is None and self.median < self.min:
            raise PydanticCustomError("bounds", "min ≤ median")
        return self


def _token_length_kind(given: object) -> str:
    if isinstance(given, str):
        return "trace"
    return "lognormal" if isinstance(given, dict | Lognormal) else "fixed"


TokenLength = Annotated[
    Annotated[Annotated[int, Field(ge=1, le=10_000_000)], Tag("fixed")]
    | Annotated[Lognormal, Tag("lognormal")]
    | Annotated[Literal["trace"], Tag("trace")],
    Discriminator(_token_length_kind),
]
"""A fixed number of tokens, a lognormal distribution, or the lengths that the trace gives."""


class SharedPrefix(Strict):
    """``count`` system prompts of ``tokens`` tokens each; that of rank r is asked in proportion to r^−zipf.

    The prefix is part of ``prompt_tokens``.
    """

    count: Annotated[int, Field(ge=1, le=100_000)]
    tokens: Annotated[int, Field(ge=1, le=1_000_000)]
    zipf: Annotated[float, Field(ge=0, le=10)] = 1.0


class WorkloadSpec(Strict):
    """What each request asks. ``prompts_file`` is JSONL: ``{"prompt": …}`` or ``{"messages": […]}``."""

    prompt_tokens: TokenLength = 128
    output_tokens: TokenLength = 64
    shared_prefix: SharedPrefix | None = None
    prompts_file: FilePath | None = None
    tokenizer: FilePath | None = None
    """A ``tokenizer.json`` or the folder that holds it."""


class Ramp(Strict):
    """A rate that changes linearly over the stage's duration."""

    from_: RateField = Field(alias="from")
    to: RateField


class Decay(Strict):
    """A rate that tends to ``to``: λ(t) = to + (from − to) · 2^(−t / half_life)."""

    from_: RateField = Field(alias="from")
    to: RateField
    half_life: PositiveSeconds


class TraceReplay(Strict):
    """Arrivals from a file. The window is [start, start + stage duration × speed) in the trace's time."""

    file: FilePath
    format: Literal["auto", "azure", "mooncake", "generic"] = "auto"
    speed: Speed = 1.0
    start: DurationSeconds = 0.0


class Gamma(Strict):
    """Gaps with CV² = burstiness: 1 is Poisson, above is burstier, below is more regular."""

    burstiness: Annotated[float, Field(gt=0, le=1000)]


class GammaArrivals(Strict):
    """The ``arrivals: {gamma: {burstiness: 4}}`` form."""

    gamma: Gamma


def _arrivals_kind(given: object) -> str:
    return "gamma" if isinstance(given, dict | GammaArrivals) else "named"


Arrivals = Annotated[
    Annotated[Literal["poisson", "constant"], Tag("named")] | Annotated[GammaArrivals, Tag("gamma")],
    Discriminator(_arrivals_kind),
]


class Stage(Strict):
    """A named part of the load with results of its own. Exactly one of rate, ramp, decay, trace is set."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [key]} for key in ("rate", "ramp", "decay", "trace")]}
    )

    name: Slug
    duration: PositiveSeconds
    rate: RateField | None = None
    ramp: Ramp | None = None
    decay: Decay | None = None
    trace: TraceReplay | None = None
    arrivals: Arrivals = "poisson"

    @model_validator(mode="after")
    def _has_one_shape(self) -> Self:
        shapes = [key for key in ("rate", "ramp", "decay", "trace") if getattr(self, key) is not None]
        if len(shapes) != 1:
            raise PydanticCustomError("shape", "exactly one of rate, ramp, decay, trace")
        if self.trace is not None and "arrivals" in self.model_fields_set:
            raise PydanticCustomError(
                "shape", "no arrivals beside trace: the trace says when requests arrive"
            )
        return self

    def rates(self) -> tuple[Rate, ...]:
        """Return the rates that the stage names: its rate, or its first and last; none for a trace."""
        if self.rate is not None:
            return (self.rate,)
        change = self.ramp or self.decay
        return () if change is None else (change.from_, change.to)


class Slo(Strict):
    """One objective, inline. The threshold's unit is the metric's: ``1.5s``, ``1%``, ``5/s`` or ``0.6x``."""

    name: Slug
    metric: Annotated[Metric, Field(description=f"one of {', '.join(METRIC_NAMES)}")]
    percentile: Annotated[float, Field(gt=0, lt=100)] | None = None
    at_most: str | float | None = None
    at_least: str | float | None = None
    stages: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None
    source: str = ""
    """Where the objective was written (``flash_sale.yaml:41``). The loader fills it in."""

    @model_validator(mode="after")
    def _is_measurable(self, info: ValidationInfo) -> Self:
        problem = slo_problem(
            self.metric, self.percentile, self.at_most, self.at_least, self.stages, is_from_file(info)
        )
        if problem is not None:
            raise PydanticCustomError("slo", "{problem}", {"problem": problem})
        return self

    @property
    def threshold(self) -> str | float:
        """Return the threshold as it was written."""
        given = self.at_least if self.at_most is None else self.at_most
        return 0.0 if given is None else given


class CapacityProbe(Strict):
    """The closed-loop probe before the run that finds the meaning of ``1x``."""

    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 8
    duration: PositiveSeconds = 8.0


class Limits(Strict):
    """When the generator itself spoiled the run. None: max(5 ms, 2 % of the tightest latency threshold)."""

    schedule_delay_p99: PositiveSeconds | None = None
    loop_lag_p99: PositiveSeconds | None = None
    dropped_share: Share = 0.001
    clock_uncertainty: PositiveSeconds | None = None
    """How far a worker's slice may have started from the others', for all that is known of its clock."""
    clock_drift: PositiveSeconds = 0.05
    """By how much a worker's wall clock may move against the master's during the run."""


class Spike(Strict):
    """Marks a flash sale: the stage where the sale begins, and the calm stage before it."""

    stage: Slug
    baseline: Slug


class Scenario(Strict):
    """One load test: target, workload, stages in order, objectives."""

    name: Slug
    description: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    loop: Literal["open", "closed"] = "open"
    """Closed: the record of a locustfile's run, whose users ask again once they are answered. It has one
    stage, whose rate says nothing, and cannot be sent."""
    target: Target = Target()
    workload: WorkloadSpec = WorkloadSpec()
    max_in_flight: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    drain: DurationSeconds = 30.0
    """How long open requests may take after the last due time before they are cancelled."""
    trace_sample_share: Share = 0.05
    capacity: CapacityProbe = CapacityProbe()
    stages: Annotated[tuple[Stage, ...], Field(strict=False, min_length=1, max_length=255)]
    slos: Annotated[tuple[Slo, ...], Field(strict=False)] = ()
    slo_files: Annotated[tuple[FilePath, ...], Field(strict=False)] = ()
    limits: Limits = Limits()
    spike: Spike | None = None

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        plain = self.model_dump(mode="json", by_alias=True)
        problem = next(checks.cross_problems(plain), None)
        if problem is not None:
            raise PydanticCustomError("cross", "{problem}", {"problem": str(problem)})
        return self

    @property
    def duration_seconds(self) -> float:
        """Return the planned length of all stages together, without the drain."""
        return sum(stage.duration for stage in self.stages)

    def stage_starts_seconds(self) -> tuple[float, ...]:
        """Return when each stage begins, in seconds after the run's start."""
        starts, start = [], 0.0
        for stage in self.stages:
            starts.append(start)
            start += stage.duration
        return tuple(starts)
