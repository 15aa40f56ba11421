"""One worker's part of a locustfile's run: what its users ask, recorded like an open loop's slice."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import gevent
from gevent.event import Event

from harness.load.counts import EndedTtft, EngineStats
from harness.load.gaps import GapRecorder
from harness.load.lag import Ticker
from harness.load.sink import RecordSink
from harness.load.slice_run import SliceOptions, raise_descriptor_limit
from harness.load.transport import AnyCall, Transport, open_transport
from harness.measure.histogram import LogHistogram
from harness.measure.record import RequestRecord
from harness.measure.record_batch import RecordBatch
from harness.measure.worker_report import Clock, WorkerReport
from harness.scenario.model import Scenario, Target
from harness.workload import Ask

MAX_IDLE = 20_000
"""More than the users of one process, each with a connection of its own."""
_SEQ_OF_WORKER_BITS = 40
"""Nobody knows how many requests there will be, so each worker counts from a place of its own."""


class UsersRun:
    """Prepared by its construction, begun by ``start``, ended by ``stop``, complete when ``wait`` returns.

    Users that ask before the start wait for it. A request that a killed user leaves open is cancelled and
    recorded as such. It is its own ``engine``: what is watched while the run goes on.
    """

    def __init__(self, scenario: Scenario, options: SliceOptions) -> None:
        raise_descriptor_limit()
        self._scenario = scenario
        self._options = options
        self._transports: dict[Target, Transport] = {}
        self._sink = RecordSink(options.run_dir / f"records-{options.worker}.parquet")
        self._gaps = GapRecorder(1)
        self._ticker = Ticker(gevent.get_hub().loop, self._on_tick)
        self._stats = EngineStats()
        self._new: list[RequestRecord] = []
        self._next_seq = options.worker << _SEQ_OF_WORKER_BITS
        self._asked = 0
        self._zero_ns = 0
        self._start_wall_ns = 0
        self._clock_start_ns = 0
        self._cpu_start_seconds = 0.0
        self._started, self._stopping = Event(), False
        self.finished = Event()
        self._ttft = EndedTtft()
        self.listeners: list[Callable[[RecordBatch], None]] = []
        self._transport(scenario.target)  # a target that cannot be resolved is found now

    @property
    def engine(self) -> UsersRun:
        """What is watched: this."""
        return self

    @property
    def planned(self) -> int:
        """How many requests users have asked for."""
        return self._asked

    @property
    def ttft(self) -> LogHistogram:
        """First token − due, of the requests that have ended."""
        return self._ttft.histogram

    @property
    def itl(self) -> tuple[LogHistogram, ...]:
        """The gaps between tokens, in the run's one stage."""
        self._gaps.flush(at=1)
        return self._gaps.histograms

    def stats(self) -> EngineStats:
        """Return the live counters."""
        self._report_new()
        self._stats.planned = self._stats.offered = self._asked
        self._stats.in_flight = self._open_requests()
        self._stats.reconnects = sum(transport.client.reconnects for transport in self._transports.values())
        return self._stats

    def start(self, start_wall_ns: int, offset_ns: int = 0) -> None:
        """Let the users ask from this instant of the master's clock on."""
        self._start_wall_ns = start_wall_ns
        self._clock_start_ns = self._wall_minus_monotonic_ns()
        self._zero_ns = start_wall_ns + offset_ns - self._clock_start_ns
        self._cpu_start_seconds = time.process_time()
        self._ticker.start()
        self._started.set()

    def stop(self) -> None:
        """End: open requests are cancelled, and nobody may ask any more."""
        if not self._stopping:
            self._stopping = True
            self._ticker.stop()  # to cancel thousands of requests at once takes a while that measures nothing
            for transport in self._transports.values():
                transport.client.cancel_all()
            gevent.spawn(self._finish)

    def wait(self) -> WorkerReport:
        """Wait for the stop, write both files, and return the report."""
        self.finished.wait()
        self._sink.close()
        report = self._report()
        report.write(self._options.run_dir)
        return report

    @property
    def is_over(self) -> bool:
        """Whether nobody may ask any more."""
        return self._stopping

    def ask(self, target: Target, ask: Ask) -> tuple[RequestRecord, str]:
        """Send one request when the run has begun, wait for its end; return its record and its text.

        It is due when it is sent: a closed loop has no schedule to be late for.
        """
        self._wait_for_zero()
        client, calls = self._transport(target)
        seq, self._next_seq = self._next_seq, self._next_seq + 1
        self._asked += 1
        ended: list[RequestRecord] = []
        waiting = Event()

        def on_done(call: AnyCall) -> None:
            ended.append(self._record(call))
            waiting.set()

        call = calls.make(ask, seq, 0, time.monotonic_ns(), self._gaps.taker(0), on_done)
        client.submit(call)
        try:
            waiting.wait()
        finally:
            client.cancel(call)  # a user that is killed while it waits takes its request along
        return ended[0], "".join(call.exchange.pieces or ())

    def _wait_for_zero(self) -> None:
        self._started.wait()
        early_seconds = (self._zero_ns - time.monotonic_ns()) / 1e9
        if early_seconds > 0:
            gevent.sleep(early_seconds)

    def _transport(self, target: Target) -> Transport:
        if target not in self._transports:
            share = self._scenario.trace_sample_share
            self._transports[target] = open_transport(
                target, self._options.run_id, share, max_idle=MAX_IDLE, keep_text=True
            )
        return self._transports[target]

    def _record(self, call: AnyCall) -> RequestRecord:
        call.intended_ns = call.sent_ns or call.intended_ns
        record = call.to_record(self._options.worker, self._zero_ns)
        self._new.append(record)
        return record

    def _on_tick(self, now_ns: int) -> None:
        for transport in self._transports.values():
            transport.client.tick(now_ns)
        self._gaps.flush()
        self._report_new()

    def _report_new(self) -> None:
        if self._new:
            batch = RecordBatch.from_records(self._new, self._options.worker)
            self._new = []
            for take in (self._stats.count, self._ttft.take, self._sink.add, *self.listeners):
                take(batch)

    def _open_requests(self) -> int:
        return sum(transport.client.in_flight for transport in self._transports.values())

    def _finish(self) -> None:
        self._report_new()
        for transport in self._transports.values():
            transport.client.close()
        self.finished.set()

    def _report(self) -> WorkerReport:
        stats = self.stats()
        elapsed_seconds = max(1e-3, (time.monotonic_ns() - self._zero_ns) / 1e9) if self._zero_ns else 1e-3
        failure = self._sink.failure
        return WorkerReport(
            worker=self._options.worker,
            start_wall_ns=self._start_wall_ns,
            planned=self._asked,
            recorded=self._sink.recorded,
            sent=stats.sent,
            loop_lag=self._ticker.lag,
            itl=self.itl,
            clock=Clock(self._clock_start_ns, self._wall_minus_monotonic_ns()),
            cpu_seconds=time.process_time() - self._cpu_start_seconds,
            elapsed_seconds=elapsed_seconds,
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            reconnects=stats.reconnects,
            spoiled=() if failure is None else (f"sink failed: {failure} ({self._sink.lost} records lost)",),
        )

    def _wall_minus_monotonic_ns(self) -> int:
        return self._options.wall_ns() - time.monotonic_ns()


class Desk:
    """Where the users of one process find the run of now: it exists once the master has prepared it."""

    def __init__(self) -> None:
        self._run: UsersRun | None = None
        self._changed = Event()

    def open(self, scenario: Scenario, options: SliceOptions) -> UsersRun:
        """Begin a new run; those who waited for one go on."""
        self._run = UsersRun(scenario, options)
        self._changed.set()
        return self._run

    def run(self) -> UsersRun | None:
        """Return the run of now, waiting for it; None when it is over."""
        self._changed.wait()
        run = self._run
        return None if run is None or run.is_over else run

    def close(self) -> None:
        """Let users wait for the next run."""
        self._changed.clear()
        self._run = None
