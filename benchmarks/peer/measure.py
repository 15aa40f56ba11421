"""Put a tool through its work: each load a launch of its own, on the same server as every other tool's."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peer.bounded import child_on_port, run
from benchmarks.peer.tool import AbsentError, Launch, Load, Reading, Tool

_START_LIMIT_SECONDS = 45.0  # to import torch, spawn processes, write a report
SHORT_AT_A_TIME = 64


@dataclass(frozen=True)
class Server:
    """The server's port, and the core that the tools get."""

    port: int
    tool_core: int | None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Done:
    """One load through one tool: what it reported and what it used."""

    load: Load
    reading: Reading
    cores: float
    cpu_seconds: float


@dataclass
class Results:
    """A tool's results; ``why`` says what is missing."""

    tool: Tool
    version: str = ""
    modest: Done | None = None
    highest: Done | None = None
    short: Done | None = None
    why: list[str] = field(default_factory=list)
    commands: dict[str, str] = field(default_factory=dict)


def put_through(tool: Tool, streams: Server, answers: Server, seconds: float, deadline: float) -> Results:
    """Measure all that the tool can do until ``deadline`` on the monotonic clock."""
    results = Results(tool)
    try:
        results.version = tool.get()
    except AbsentError as error:
        results.why.append(str(error))
        return results
    for at_a_time in tool.ladder:
        done = _try(results, Load(streams.url, at_a_time, seconds, True), streams, deadline)
        if at_a_time == tool.ladder[0]:
            results.modest = done
        counts = tool.modest_counts or at_a_time != tool.ladder[0]
        if counts and _streamed(done) > _streamed(results.highest):
            results.highest = done
    if tool.short:
        results.short = _try(results, Load(answers.url, SHORT_AT_A_TIME, seconds, False), answers, deadline)
    return results


def _streamed(done: Done | None) -> float:
    return done.reading.tokens_per_second if done else 0.0


def _try(results: Results, load: Load, server: Server, deadline: float) -> Done | None:
    """Return one load's results; why there are none, or that requests failed, goes to ``results.why``."""
    kind = "streams" if load.streamed else "short requests"
    what = f"{load.at_a_time} {kind} at a time" if load.at_a_time else f"climbing with {kind}"
    try:
        done = _measure(results, load, server, deadline)
    except (AbsentError, OSError, LookupError, ValueError, TypeError) as error:  # a report in another shape
        results.why.append(f"{what}: {type(error).__name__ if not str(error) else error}")
        return None
    if done.reading.failed:
        results.why.append(f"{what}: {done.reading.failed} requests failed")
    return done


def _measure(results: Results, load: Load, server: Server, deadline: float) -> Done:
    left = deadline - time.monotonic()
    if left < load.seconds:
        raise AbsentError("no time left in this run")
    # A climb of ours is ten rungs in one launch.
    own = load.seconds * (14 if results.tool.name == "tidegate" else 1)
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        launch = results.tool.launch(load, Path(folder))
        results.commands["streams" if load.streamed else "short"] = _shown(launch, folder, load)
        limit = min(left, own + _START_LIMIT_SECONDS)
        finished = run(launch, server.tool_core, child_on_port(server.port), Path(folder), limit)
        reading = results.tool.read(load, Path(folder), finished.output)
    return Done(load, reading, finished.cores, finished.cpu_seconds)


def _shown(launch: Launch, folder: str, load: Load) -> str:
    """Return the command as a reader can use it, without this machine's folders."""
    settings = [f"{name}={value}" for name, value in launch.environment.items() if name != "PYTHONPATH"]
    words = [word.replace(folder, "$DIR").replace(load.url, "$URL") for word in launch.command]
    words[0] = Path(words[0]).name
    home = str(Path.home())
    return " ".join([*settings, *(f"'{w}'" if set(w) & set(' {"') else w for w in words)]).replace(home, "~")
