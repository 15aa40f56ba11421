"""``tidegate calibrate``: run the harness against the golden target, and say what it adds on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.calibrate.bench import Bench, Load, Measured, opened_bench
from harness.calibrate.rungs import Rung, added_gap, added_ttft, ceiling_of, rungs_of
from harness.measure.floor import Ceiling, Floor, Spread
from harness.measure.histogram import LogHistogram
from harness.measure.summarize import merged_gaps
from harness.telemetry.environment import read_environment
from harness.telemetry.floor_store import machine_of

TOKENS = 64
SHORT_ANSWERS = "ttft=5ms,tokens=1"
STREAMS = f"ttft=20ms,gap=2ms,tokens={TOKENS}"
HELD_STREAMS = "ttft=5s,tokens=1"
_MODERATE_STREAMS_PER_SECOND = 100.0
_STEP_BACK = 0.75


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time to spend. ``confirm_seconds`` 0: take the ladders' word.

    ``held_connections`` 0: no run of its own; what the others had open at once is told instead.
    """

    request_rates: tuple[float, ...]
    request_rung_seconds: float
    stream_rates: tuple[float, ...]
    stream_rung_seconds: float
    added_seconds: float
    confirm_seconds: float
    budget_seconds: float
    held_connections: int


QUICK = Effort((100, 1000, 4000, 16_000), 0.5, (200, 800), 1.0, 1.5, 0.0, 0.0, 0)
FULL = Effort(
    request_rates=(50, 200, 1000, 2000, 4000, 8000, 16_000, 32_000),
    request_rung_seconds=1.0,
    stream_rates=(100, 200, 400, 800, 1600),
    stream_rung_seconds=1.5,
    added_seconds=4.0,
    confirm_seconds=3.0,
    budget_seconds=75.0,
    held_connections=10_000,
)


def calibrate(quick: bool, note: Callable[[str], None]) -> Floor:
    """Measure this machine's floor: within 20 s when ``quick``, else within 90 s. ``note`` takes a sentence.

    Raises TidegateError when the golden target or a worker does not start.
    """
    effort = QUICK if quick else FULL
    end_by = time.monotonic() + effort.budget_seconds
    with opened_bench() as bench:
        note("what one worker adds to a hundred streams a second")
        added = bench.measure(Load((_MODERATE_STREAMS_PER_SECOND,), effort.added_seconds, STREAMS, TOKENS))
        note("how late it sends, rate by rate")
        requests = _Climb(bench, effort, SHORT_ANSWERS, tokens=False)
        rungs = requests.ladder(effort.request_rates, effort.request_rung_seconds)
        note("how many streamed tokens it takes in")
        streams = _Climb(bench, effort, STREAMS, tokens=True)
        streams.ladder(effort.stream_rates, effort.stream_rung_seconds)
        held = _held(bench, effort, note)
        note("confirming" if effort.confirm_seconds else "")
        clean_requests = requests.confirmed(time.monotonic() + (end_by - time.monotonic()) / 2)
        clean_tokens = streams.confirmed(end_by)
    peaks = [held, *(_most_open(one) for one in (added, *requests.runs, *streams.runs))]
    return Floor(
        calibrated_at=datetime.now(UTC).isoformat(timespec="seconds"),
        quick=quick,
        machine=machine_of(read_environment()),
        send_lateness=tuple(rung.lateness for rung in rungs if rung.clean) or (rungs[0].lateness,),
        added_ttft=added_ttft(added.records, added.truth),
        added_gap=_added_gap(added),
        clean_requests_per_second=clean_requests,
        clean_tokens_per_second=clean_tokens,
        connections=Ceiling(max(peaks), at_least=True),
        golden_pace_p99_seconds=added.truth.pace_error_p99_seconds,
    )


class _Climb:
    """Finds the highest rate of one kind of load that leaves a run valid."""

    def __init__(self, bench: Bench, effort: Effort, timetable: str, *, tokens: bool) -> None:
        self._bench = bench
        self._effort = effort
        self._timetable = timetable
        self._tokens = tokens
        self._rungs: tuple[Rung, ...] = ()
        self.runs: list[Measured] = []

    def ladder(self, rates: tuple[float, ...], seconds: float) -> tuple[Rung, ...]:
        """Try all rates in one run, one after the other."""
        self._rungs = self._try(rates, seconds)
        return self._rungs

    def confirmed(self, end_by: float) -> Ceiling:
        """Return the ladder's ceiling, or the best of runs of their own at and above it, until ``end_by``."""
        ceiling = ceiling_of(self._rungs)
        good = [rung for rung in self._rungs if rung.clean and rung.target_held]
        if not self._effort.confirm_seconds or not good:
            return ceiling
        low, high = good[-1].offered_per_second, self._first_bad_rate()
        best, rate = 0.0, low
        while time.monotonic() < end_by:
            rung = self._run_of_its_own(rate)
            if rung is not None:
                best, low = max(best, rung.achieved), rate
            elif rate <= low:  # the ladder was too hopeful
                low, high = rate * _STEP_BACK, rate
            else:
                high = rate
            rate = (low * high) ** 0.5 if best else low
            if high / low < 1.1:
                break
        return Ceiling(best, ceiling.at_least)

    def _first_bad_rate(self) -> float:
        good = max(rung.offered_per_second for rung in self._rungs if rung.clean and rung.target_held)
        worse = [rung.offered_per_second for rung in self._rungs if rung.offered_per_second > good]
        return worse[0] if worse else good

    def _run_of_its_own(self, rate: float) -> Rung | None:
        """Return the rung when the harness itself would call such a run valid, and the target kept up."""
        [rung] = self._try((rate,), self._effort.confirm_seconds)
        valid = self.runs[-1].report.verdict.kind.value != "INVALID"
        return rung if valid and rung.clean and rung.target_held else None

    def _try(self, rates: tuple[float, ...], seconds: float) -> tuple[Rung, ...]:
        measured = self._bench.measure(Load(rates, seconds, self._timetable, TOKENS))
        self.runs.append(measured)
        return rungs_of(measured.report.summary, measured.records, measured.truth, tokens=self._tokens)


def _held(bench: Bench, effort: Effort, note: Callable[[str], None]) -> int:
    if not effort.held_connections:
        return 0
    note(f"holding {effort.held_connections:,} connections")
    measured = bench.measure(Load((effort.held_connections / 4,), 4.0, HELD_STREAMS, 1))
    return _most_open(measured)


def _most_open(measured: Measured) -> int:
    """Return how many requests were open at once, at most, among those that ended well."""
    records = measured.records.pick(measured.records.ok)
    events = [(int(at), 1) for at in records.sent_ns] + [(int(at), -1) for at in records.end_ns]
    most = now = 0
    for _, change in sorted(events):
        now += change
        most = max(most, now)
    return most


def _added_gap(measured: Measured) -> Spread:
    itl = LogHistogram.from_dict(measured.report.summary.whole.itl_histogram)
    return added_gap(merged_gaps([itl]), measured.truth.gaps)
