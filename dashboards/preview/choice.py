"""What a person would have chosen at the top of each dashboard, and the intervals that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dashboards.prometheus import Prometheus
from dashboards.promql import substitute

_SCRAPE_SECONDS = 5.0
"""What the data source says of itself."""
_AROUND_SECONDS = 6.0
_POINTS = 240
_SAMPLES = 'tidegate_run_info{{run=~"{run}"}}'
_STARTS = "max by (run) (max_over_time(tidegate:run_start_time_seconds{back}))"
_SERVERS = "group by (server, instance) (last_over_time(tidegate_target_running{back}))"


@dataclass(frozen=True, slots=True)
class Window:
    """The time range, in seconds since 1970."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Choice:
    """``values`` of the variables by name; those that are missing stand for all.

    ``targets``: which server a board shows, by the kind of server that the board is about ("" for ours).
    """

    window: Window
    values: Mapping[str, str]
    targets: Mapping[str, str]

    def at(self, board: Mapping[str, Any]) -> Choice:
        """Return the choice with the board's own target."""
        names = {variable["name"] for variable in board["templating"]["list"]}
        target = self.targets.get("vllm" if "server" in names else "")
        return self if target is None else replace(self, values={**self.values, "target": target})

    def expression(self, text: str, panel: Mapping[str, Any]) -> str:
        """Return a panel's query as Grafana would send it."""
        interval = f"{rate_interval_seconds(panel, self.window):g}s"
        return substitute(text, {**self.values, "__rate_interval": interval})


def choose(prometheus: Prometheus, window: Window, run: str | None) -> Choice:
    """Take the run (None: the newest one), for a comparison the two newest, and of each kind a server."""
    back = f"[{window.seconds:.0f}s]"
    starts = prometheus.query(_STARTS.format(back=back), window.end)
    newest = sorted(((line.points[0][1], line.labels.get("run", "")) for line in starts), reverse=True)
    values = {"run": run or ".*"}
    if newest:
        (start_a, run_a), (start_b, run_b) = newest[0], newest[min(1, len(newest) - 1)]
        shift = round(start_a - start_b) or 1  # an offset of 0 is no offset
        values = {"run": run or run_a, "run_a": run_a, "run_b": run_b, "shift": str(shift)}
    servers = prometheus.query(_SERVERS.format(back=back), window.end)
    targets = {line.labels.get("server", ""): line.labels.get("instance", "") for line in servers}
    return Choice(_of_the_run(prometheus, window, values["run"]), values, targets)


def _of_the_run(prometheus: Prometheus, window: Window, run: str) -> Window:
    """Narrow the time range to where the chosen run's samples are, and a little around them."""
    samples = prometheus.query_range(_SAMPLES.format(run=run), window.start, window.end, _SCRAPE_SECONDS)
    times = [at for line in samples for at, _ in line.points]
    if not times:
        return window
    around = _AROUND_SECONDS
    return Window(max(window.start, min(times) - around), min(window.end, max(times) + around))


def step_seconds(panel: Mapping[str, Any], window: Window) -> float:
    """Return the distance of two points: a few pixels, but no less than the panel's own."""
    return max(_interval(panel), float(round(window.seconds / _POINTS)), 1.0)


def rate_interval_seconds(panel: Mapping[str, Any], window: Window) -> float:
    """Return ``$__rate_interval`` as Grafana computes it."""
    scrape = _interval(panel)
    return max(step_seconds(panel, window) + scrape, 4 * scrape)


def _interval(panel: Mapping[str, Any]) -> float:
    given = panel.get("interval")
    return float(str(given).removesuffix("s")) if given else _SCRAPE_SECONDS
