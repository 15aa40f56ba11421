"""``tidegate calibrate``: run the harness against the golden target, and say what it adds on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.calibrate.bench import Bench, Load, Measured, opened_bench
from harness.calibrate.climb import highest_good
from harness.calibrate.rungs import Rung, added_gap, added_ttft, most_open, rungs_of, top_of
from harness.measure.floor import Ceiling, Floor, Spread
from harness.measure.histogram import LogHistogram
from harness.telemetry.environment import read_environment
from harness.telemetry.floor_store import machine_of

TOKENS = 64
SHORT_ANSWERS = "ttft=5ms,tokens=1"
STREAMS = f"ttft=20ms,gap=2ms,tokens={TOKENS}"
HELD_STREAMS = "ttft=4500ms,tokens=1"
_OPEN_WITHIN_SECONDS = 4.0
MODERATE_STREAMS_PER_SECOND = 100.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to try. ``rates`` are requests per second, ascending.

    ``confirm_seconds`` is the length of the runs that confirm a ladder's word, ``confirm_within_seconds``
    the time for them, for each of both ladders; 0: take its word. ``held_connections`` 0: no run of its own;
    what the other runs had open at once is told instead.
    """

    added_seconds: float
    request_rates: tuple[float, ...]
    request_rung_seconds: float
    stream_rates: tuple[float, ...]
    stream_rung_seconds: float
    confirm_seconds: float = 0.0
    confirm_within_seconds: float = 0.0
    held_connections: int = 0


QUICK = Effort(
    added_seconds=1.0,
    request_rates=(100, 1000, 4000, 8000),
    request_rung_seconds=0.5,
    stream_rates=(200, 600),
    stream_rung_seconds=1.0,
)
FULL = Effort(
    added_seconds=4.0,
    request_rates=(50, 200, 1000, 2000, 4000, 8000, 16_000, 32_000),
    request_rung_seconds=1.0,
    stream_rates=(100, 200, 400, 800, 1600),
    stream_rung_seconds=1.5,
    confirm_seconds=2.0,
    confirm_within_seconds=14.0,
    held_connections=10_000,
)


def calibrate(quick: bool, note: Callable[[str], None]) -> Floor:
    """Measure this machine's floor: within 20 s when ``quick``, else within 90 s. ``note`` takes a sentence.

    Raises TidegateError when the golden target or a worker does not start.
    """
    effort = QUICK if quick else FULL
    with opened_bench() as bench:
        note(f"what is added to {MODERATE_STREAMS_PER_SECOND:g} streams a second")
        added = bench.measure(Load((MODERATE_STREAMS_PER_SECOND,), effort.added_seconds, STREAMS, TOKENS))
        requests, streams = _Climb(bench, SHORT_ANSWERS), _Climb(bench, STREAMS, tokens=True)
        note("how late requests are sent, rate by rate")
        rungs = requests.ladder(effort.request_rates, effort.request_rung_seconds)
        note("how many streamed tokens are taken in")
        streams.ladder(effort.stream_rates, effort.stream_rung_seconds)
        held = _hold(bench, effort.held_connections, note)
        note("trying the highest clean rates in runs of their own" if effort.confirm_seconds else "done")
        ceilings = [climb.ceiling(effort) for climb in (requests, streams)]
    open_at_once = [most_open(run.records) for run in (added, *held, *requests.runs, *streams.runs)]
    return Floor(
        calibrated_at=datetime.now(UTC).isoformat(timespec="seconds"),
        quick=quick,
        machine=machine_of(read_environment()),
        send_lateness=tuple(rung.lateness for rung in rungs if rung.clean) or (rungs[0].lateness,),
        added_ttft=added_ttft(added.records, added.truth),
        added_gap=_added_gap(added),
        clean_requests_per_second=ceilings[0],
        clean_tokens_per_second=ceilings[1],
        connections=Ceiling(max(open_at_once), at_least=True),
        golden_pace_p99_seconds=added.truth.pace_error_p99_seconds,
    )


class _Climb:
    """Finds the highest rate of one kind of load that leaves a run valid; its unit is requests or tokens."""

    def __init__(self, bench: Bench, timetable: str, *, tokens: bool = False) -> None:
        self._bench = bench
        self._timetable = timetable
        self._tokens = tokens
        self._rungs: tuple[Rung, ...] = ()
        self.runs: list[Measured] = []

    def ladder(self, rates: tuple[float, ...], seconds: float) -> tuple[Rung, ...]:
        """Try all rates in one run, one after the other."""
        self._rungs = self._run(rates, seconds)
        return self._rungs

    def ceiling(self, effort: Effort) -> Ceiling:
        """Return the ladder's ceiling, confirmed by runs of their own where there is time for them."""
        top = top_of(self._rungs)
        if not effort.confirm_seconds or not top.value:
            return Ceiling(top.value, top.at_least)
        end_by = time.monotonic() + effort.confirm_within_seconds
        best = highest_good(
            top.offered_per_second,
            top.next_per_second,
            lambda rate: self._achieved(rate, effort.confirm_seconds),
            lambda: time.monotonic() < end_by,
        )
        return Ceiling(best, top.at_least)

    def _achieved(self, rate: float, seconds: float) -> float | None:
        """Return what the rate achieved, if the harness itself calls such a run valid and the target held."""
        [rung] = self._run((rate,), seconds)
        valid = self.runs[-1].report.verdict.kind.value != "INVALID"
        return rung.achieved if valid and rung.clean and rung.target_held else None

    def _run(self, rates: tuple[float, ...], seconds: float) -> tuple[Rung, ...]:
        run = self._bench.measure(Load(rates, seconds, self._timetable, TOKENS))
        self.runs.append(run)
        return rungs_of(run.report.summary, run.records, run.truth, tokens=self._tokens)


def _hold(bench: Bench, connections: int, note: Callable[[str], None]) -> list[Measured]:
    if not connections:
        return []
    note(f"holding {connections:,} connections")
    rate = connections / _OPEN_WITHIN_SECONDS
    return [bench.measure(Load((rate,), _OPEN_WITHIN_SECONDS, HELD_STREAMS, 1, drain_seconds=6.0))]


def _added_gap(run: Measured) -> Spread:
    return added_gap(LogHistogram.from_dict(run.report.summary.whole.itl_histogram), run.truth.gaps)
