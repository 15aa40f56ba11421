"""tidegate beside other load generators: the same server, the same core, the same minutes.

The server has one core; a tool and everything that it starts have the other. Streams: the first token 10
ms after the request and one more every 10 ms, 64 in all. Each tool climbs a ladder of concurrent streams;
said are the tokens that it takes in, and what it reports as time to first token and gap where the truth
is 10 ms, at a modest load (32 at a time, 50 requests a second) and at its highest. Then short requests,
64 at a time over kept connections. Each tool is installed once, in an environment of its own; one that
cannot be had says why.

``python -m benchmarks.peers [--table] [--only NAME] [--seconds N] [--install-only] [--accept-agpl]``
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import time

from benchmarks.figures import say
from benchmarks.lean_server import cores_for_both, lean_server
from benchmarks.peer.aiperf import AiPerf
from benchmarks.peer.fast_http_user import FastHttpUser
from benchmarks.peer.guidellm import GuideLlm
from benchmarks.peer.k6 import K6
from benchmarks.peer.measure import Done, Results, Server, put_through
from benchmarks.peer.ours import Ours
from benchmarks.peer.plain_aiohttp import PlainAiohttp
from benchmarks.peer.table import table
from benchmarks.peer.tool import GAP_MS, NAN, STREAMED_TOKENS, AbsentError, Tool
from benchmarks.peer.wrk import Wrk

LIMIT_SECONDS = 350.0


def main() -> None:
    options = _options()
    tools = _chosen(options.only, K6(options.accept_agpl))
    with contextlib.redirect_stdout(sys.stderr if options.table else sys.stdout):
        _install(tools)
        results = [] if options.install_only else measure(tools, options.seconds)
    if options.table and results:
        print(table(results))


def _chosen(only: str, k6: K6) -> list[Tool]:
    """Return ours, the reference of every figure, first; then those whose name has ``only`` in it."""
    peers: list[Tool] = [GuideLlm(), AiPerf(), FastHttpUser(), k6, Wrk(), PlainAiohttp()]
    return [Ours(), *(peer for peer in peers if only in peer.name.lower())]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers")
    parser.add_argument("--table", action="store_true", help="a Markdown table; JSON lines go to stderr")
    parser.add_argument(
        "--only", default="", type=str.lower, help="a part of one tool's name; it runs beside tidegate"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--install-only", action="store_true")
    parser.add_argument("--accept-agpl", action="store_true", help="install k6, which is under the AGPL")
    return parser.parse_args()


def _install(tools: list[Tool]) -> None:
    """Install before the clock starts; what fails is told where the tool's turn comes."""
    for tool in tools:
        with contextlib.suppress(AbsentError):
            tool.get()


def measure(tools: list[Tool], seconds: float) -> list[Results]:
    """Put every tool through its work and say its figures as soon as they are there."""
    server_core, tool_core = cores_for_both()
    deadline = time.monotonic() + LIMIT_SECONDS
    results: list[Results] = []
    with (
        lean_server(GAP_MS / 1e3, STREAMED_TOKENS, server_core) as streams,
        lean_server(GAP_MS / 1e3, 1, server_core) as answers,
    ):
        if server_core is not None:
            os.sched_setaffinity(0, {server_core})  # this process watches; it must not share the tool's core
        for tool in tools:
            ends = min(deadline, time.monotonic() + LIMIT_SECONDS / 3)  # none eats the others' time
            servers = Server(streams, tool_core), Server(answers, tool_core)
            results.append(put_through(tool, *servers, seconds, ends))
            tell(results[-1], results[0])
    return results


def tell(one: Results, ours: Results) -> None:
    """Print a tool's figures; what it does not do or could not be measured is null, with the reason."""
    said = {"tool": one.tool.name, "version": one.version}
    said |= {"why": "; ".join(one.why)} if one.why else {}
    if one.tool.ladder:
        _say_rate("peers_streamed_tokens_per_second", "tokens/s", one.highest, ours.highest, said)
        for level, done in (("modest", one.modest), ("highest", one.highest)):
            _say_times(level, done, said)
    if one.tool.short:
        _say_rate("peers_requests_per_second", "requests/s", one.short, ours.short, said)


def _say_rate(name: str, unit: str, done: Done | None, ours: Done | None, said: dict[str, str]) -> None:
    value = rate(done)
    more: dict[str, object] = dict(said)
    if done:
        more |= {"cores": _rounded(done.cores, 3), "per_core_second": _rounded(per_core(done))}
        more |= {"cpu_seconds": round(done.cpu_seconds, 2), "at_a_time": done.load.at_a_time}
        more |= {"note": done.reading.note} if done.reading.note else {}
    reference = rate(ours)
    say(name, value, unit, "tidegate", reference if reference > 0 else 0.0, **more)


def _say_times(level: str, done: Done | None, said: dict[str, str]) -> None:
    for name in ("ttft_p50", "ttft_p99", "itl_p50"):
        value = getattr(done.reading, f"{name}_ms") if done else NAN
        say(f"peers_{name}", value, "ms", "truth", GAP_MS, load=level, **said)


def rate(done: Done | None) -> float:
    """Return tokens a second of streams, requests a second of short answers."""
    if done is None:
        return NAN
    return done.reading.tokens_per_second if done.load.streamed else done.reading.requests_per_second


def per_core(done: Done) -> float:
    """Return the rate for each core in use; nan where the work was too short to sample."""
    return rate(done) / done.cores if done.cores > 0 else NAN


def _rounded(value: float, digits: int = 0) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


if __name__ == "__main__":
    main()
