"""The terminal while a run goes on: a panel that is redrawn, or a plain line every 5 s where nobody looks."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.report import units
from harness.scenario.model import Scenario

PLAIN_INTERVAL_SECONDS = 5.0
HISTORY = 40
_BLOCKS = "▁▂▃▄▅▆▇█"


class Progress(Protocol):
    """What the load engine tells while it runs: counts since the start, TTFT in seconds over the last 5 s."""

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the first arrival could be due."""

    @property
    def stage(self) -> str:
        """The stage that the newest arrival belongs to."""

    @property
    def offered(self) -> int:
        """Arrivals that were due until now."""

    @property
    def sent(self) -> int:
        """Requests that left."""

    @property
    def completed(self) -> int:
        """Requests that ended, in whichever way."""

    @property
    def in_flight(self) -> int:
        """Requests that are open now."""

    @property
    def failed(self) -> int:
        """Requests that ended in anything but an answer or a refusal."""

    @property
    def rejected(self) -> int:
        """Requests that the target refused (429, 503)."""

    @property
    def ttft_p50_seconds(self) -> float:
        """Median TTFT of the last 5 s; nan when there was none."""

    @property
    def ttft_p99_seconds(self) -> float:
        """P99 of TTFT of the last 5 s; nan when there was none."""

    @property
    def workers_alive(self) -> int:
        """Worker processes that still answer."""


class LiveView:
    """Show a run's progress. Use as a context manager, and call it with each ``Progress``.

    What runs after the scenario's last stage is the drain.
    """

    def __init__(self, scenario: Scenario, console: Console | None = None) -> None:
        self._title = f"{scenario.name} → {scenario.target.url or 'target'}"
        self._stages = tuple((stage.name, stage.duration) for stage in scenario.stages)
        self._drain_seconds = scenario.drain
        # Progress goes to stderr, so that a pipe on stdout receives results only.
        self._console = console or Console(stderr=True)
        self._offered: deque[float] = deque(maxlen=HISTORY)
        self._ttft_p99: deque[float] = deque(maxlen=HISTORY)
        self._previous: tuple[float, int] = (0.0, 0)
        self._next_plain_seconds = 0.0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            # No refresh thread: the load engine's hub must not be woken by drawing, only by its own ticks.
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, progress: Progress) -> None:
        """Take the newest state and show it."""
        self._remember(progress)
        if self._live is not None:
            self._live.update(self._panel(progress), refresh=True)
        elif progress.elapsed_seconds >= self._next_plain_seconds:
            ticks_passed = progress.elapsed_seconds // PLAIN_INTERVAL_SECONDS
            self._next_plain_seconds = (ticks_passed + 1) * PLAIN_INTERVAL_SECONDS
            self._console.print(self.plain_line(progress), highlight=False, markup=False, soft_wrap=True)

    def _remember(self, progress: Progress) -> None:
        then, offered = self._previous
        if progress.elapsed_seconds - then >= 1.0:
            self._offered.append((progress.offered - offered) / (progress.elapsed_seconds - then))
            self._ttft_p99.append(progress.ttft_p99_seconds)
            self._previous = (progress.elapsed_seconds, progress.offered)

    def position(self, elapsed_seconds: float) -> tuple[str, float, float]:
        """Say where in the plan the run is: the stage as ``sale (2/4)``, its seconds so far, its length."""
        start = 0.0
        for index, (name, duration) in enumerate(self._stages, 1):
            if elapsed_seconds < start + duration:
                return f"{name} ({index}/{len(self._stages)})", max(elapsed_seconds - start, 0.0), duration
            start += duration
        return "drain", min(elapsed_seconds - start, self._drain_seconds), self._drain_seconds

    def plain_line(self, progress: Progress) -> str:
        """Show everything on one line, for logs."""
        stage, inside, length = self.position(progress.elapsed_seconds)
        return (
            f"{_clock(progress.elapsed_seconds)} {stage} {inside:.0f}/{length:.0f} s"
            f" | offered {progress.offered:,} sent {progress.sent:,} completed {progress.completed:,}"
            f" in flight {progress.in_flight:,} rejected {progress.rejected:,} failed {progress.failed:,}"
            f" | TTFT (5 s) p50 {units.seconds(progress.ttft_p50_seconds)}"
            f" p99 {units.seconds(progress.ttft_p99_seconds)}"
        )

    def _panel(self, progress: Progress) -> Panel:
        load_seconds = sum(duration for _, duration in self._stages)
        left_seconds = max(load_seconds - progress.elapsed_seconds, 0.0)
        rest = f"{_clock(left_seconds)} left" if left_seconds else "waiting for the last answers"
        return Panel(
            Group(self._stage_row(progress), Text(), self._counts(progress), Text(), self._sparks()),
            title=Text(self._title, style="bold"),
            title_align="left",
            subtitle=Text(f"{_clock(progress.elapsed_seconds)} elapsed · {rest}"),
            subtitle_align="right",
            width=min(self._console.width, 110),
            padding=(1, 2),
        )

    def _stage_row(self, progress: Progress) -> Table:
        stage, inside, length = self.position(progress.elapsed_seconds)
        row = Table.grid(padding=(0, 2), expand=True)
        row.add_column(no_wrap=True)
        row.add_column(ratio=1)
        row.add_column(no_wrap=True, justify="right")
        bar = ProgressBar(total=max(length, 1e-9), completed=inside)
        row.add_row(Text(stage, style="bold cyan"), bar, f"{inside:.0f} of {length:.0f} s")
        return row

    def _counts(self, progress: Progress) -> Table:
        table = Table.grid(padding=(0, 2), expand=True)
        for _ in range(4):
            table.add_column(justify="left", style="dim", no_wrap=True)
            table.add_column(justify="right", no_wrap=True)
        table.add_row(
            *("offered", f"{progress.offered:,}", "sent", f"{progress.sent:,}"),
            *("completed", f"{progress.completed:,}", "in flight", f"{progress.in_flight:,}"),
        )
        table.add_row(
            *("rejected", _warn(progress.rejected, "yellow"), "failed", _warn(progress.failed, "red")),
            *("TTFT p50 (5 s)", units.seconds(progress.ttft_p50_seconds)),
            *("TTFT p99 (5 s)", units.seconds(progress.ttft_p99_seconds)),
        )
        return table

    def _sparks(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(no_wrap=True, style="cyan")
        table.add_column(no_wrap=True)
        last = self._offered[-1] if self._offered else None
        table.add_row("offered/s", sparkline(self._offered), units.rate(last))
        last = self._ttft_p99[-1] if self._ttft_p99 else None
        table.add_row("TTFT p99", sparkline(self._ttft_p99), units.seconds(last))
        return table


def sparkline(values: Collection[float]) -> str:
    """Draw values as blocks from zero to their maximum; a value that is not finite leaves a gap."""
    top = max(filter(math.isfinite, values), default=0.0)
    if top <= 0:
        return _BLOCKS[0] * len(values)
    last = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round(value / top * last)] if math.isfinite(value) else " " for value in values)


def _warn(number: int, style: str) -> Text:
    return Text(f"{number:,}", style=style if number else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
