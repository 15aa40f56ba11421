"""The results as a page for people: Markdown, with the day and the kind of machine and no names of either."""

from __future__ import annotations

import math
import os
import platform
import time
from pathlib import Path

from benchmarks.peer.measure import Done, Results

_HEAD = (
    "| tool | version | streamed tokens/s | of ours | cores | TTFT p50 / p99, ITL p50 at a modest load (ms) "
    "| the same at its highest | short requests/s | of ours | cores |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
)


def table(results: list[Results]) -> str:
    """Return the table, why cells are empty, and the commands."""
    ours = results[0]
    rows = [_HEAD, *(_row(one, ours) for one in results)]
    parts = [_machine(), "", *rows, "", *_remarks(results), "", "Commands:", "", *_commands(results)]
    return "\n".join(parts)


def _machine() -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime())
    kernel = f"{platform.system()} {platform.release().split('-')[0]}"
    return f"{day}, {_cpu()}, {os.cpu_count()} cores, {kernel}, Python {platform.python_version()}."


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _row(one: Results, ours: Results) -> str:
    cells = [one.tool.name, one.version or "not had"]
    cells += _rate(one.highest, ours.highest) if one.tool.ladder else ["does not stream", "–", "–"]
    cells += [_times(one.modest), _times(one.highest), *_rate(one.short, ours.short)]
    return f"| {' | '.join(cells)} |"


def _rate(done: Done | None, ours: Done | None) -> list[str]:
    value = _value(done)
    share = f"{value / _value(ours):.1%}" if ours and math.isfinite(value) else "–"
    return [_number(value, ",.0f"), share, _number(done.cores if done else math.nan, ".2f")]


def _value(done: Done | None) -> float:
    if done is None:
        return math.nan
    return done.reading.tokens_per_second if done.load.streamed else done.reading.requests_per_second


def _times(done: Done | None) -> str:
    if done is None or not math.isfinite(done.reading.ttft_p50_ms):
        return "–"
    said = done.reading
    p50, p99, itl = (_number(ms, ".1f") for ms in (said.ttft_p50_ms, said.ttft_p99_ms, said.itl_p50_ms))
    return f"{p50} / {p99}, {itl}"


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "–"


def _remarks(results: list[Results]) -> list[str]:
    lines = []
    for one in results:
        done = [d for d in (one.modest, one.highest, one.short) if d]
        said = [*dict.fromkeys(d.reading.note for d in done if d.reading.note), *one.why]
        lines += [f"- {one.tool.name}: {'; '.join(said)}."] if said else []
    return lines


def _commands(results: list[Results]) -> list[str]:
    named = [(one.tool.name, *item) for one in results for item in one.commands.items()]
    lines = [f"# {name}, {what}\n{command}" for name, what, command in named]
    return ["```", *lines, "```"]
