"""What gRPC costs the client beside HTTP/SSE: the same work, in the same run, from the same server process.

One core serves both protocols by one timetable, another one runs the worker. CPU time is the process's, all
threads. What a request costs is the difference that three times as many make (answers of one token); what a
token costs is the difference that 63 more in each answer make: the engine's idle work is in neither.
``python -m benchmarks.grpc [SECONDS]`` prints one JSON object a line.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from smg_grpc_proto import vllm_engine_pb2 as pb
from smg_grpc_proto import vllm_engine_pb2_grpc as service

from harness.arrivals import Plan
from harness.calibrate.golden.grpc_server import RunningGrpcGolden, golden_grpc
from harness.load.endpoint import resolve_endpoint
from harness.load.open_engine import Slice, native_engine, open_engine, portable_engine
from harness.load.quiet_gc import quiet_gc
from harness.load.slice_run import SWITCH_INTERVAL_SECONDS, raise_descriptor_limit
from harness.measure.record_batch import RecordBatch
from harness.scenario.model import Rate, Scenario, Stage, Target
from harness.workload import Ask

RATE_PER_SECOND = 300
TOKENS = 64
GAP = "10ms"
ROUNDS = 3
STREAMS = 10_000
PROMPT = "word " * 32


class Same:
    """Asks the same of every request, in a protocol's words."""

    def __init__(self, over_grpc: bool, tokens: int) -> None:
        asked = {"prompt": PROMPT} if over_grpc else {"messages": [{"role": "user", "content": PROMPT}]}
        options = {"stream": True, "stream_options": {"include_usage": True}}
        self._ask = Ask({"model": "golden", **options, **asked, "max_tokens": tokens}, 32, tokens)

    def ask(self, *_: Any) -> Ask:
        return self._ask


@dataclass(frozen=True)
class Cost:
    """CPU seconds of the process over a run; ``tokens`` and ``requests`` that it got whole."""

    cpu_seconds: float
    requests: int
    tokens: int


def cost_of(url: str, opener: Callable[..., Any] | None, tokens: int, offsets: np.ndarray[Any, Any]) -> Cost:
    """Send a request at each offset and return what it cost. ``opener`` None: the engine that a run takes."""
    n, over_grpc = len(offsets), url.startswith("grpc")
    plan = Plan(offsets, np.zeros(n, np.uint8), np.arange(n, dtype=np.int64))
    stage = Stage(name="only", duration=1.0, rate=Rate(1.0, "/s"))
    target = Target(url=url, model="golden")
    scenario = Scenario(name="bench", target=target, stages=(stage,), trace_sample_share=0.0, drain=20.0)
    part = Slice("bench", 0, plan, Same(over_grpc, tokens), max_in_flight=18_000)
    batches: list[RecordBatch] = []
    if opener is None:
        engine = open_engine(scenario, part, batches.append)
    else:
        engine = opener(scenario, part, resolve_endpoint(target), batches.append)
    with quiet_gc():
        engine.start(time.monotonic_ns() + 200_000_000)
        began = time.process_time()
        engine.finished.wait()
        cpu_seconds = time.process_time() - began
    batch = RecordBatch.concat(batches)
    return Cost(cpu_seconds, int(batch.ok.sum()), int(batch.output_tokens[batch.ok].sum()))


def measure(golden: RunningGrpcGolden, seconds: float) -> dict[str, tuple[float, float]]:
    """Return (µs per request with one token, µs per further token) of each client: medians of rounds."""
    clients: dict[str, tuple[str, Callable[..., Any] | None]] = {
        "grpc": (golden.url, None),
        "http/sse, portable engine": (golden.http_url, portable_engine),
        "http/sse, compiled core": (golden.http_url, native_engine),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in clients}
    few, many = _offsets(RATE_PER_SECOND, seconds), _offsets(3 * RATE_PER_SECOND, seconds)
    for _ in range(ROUNDS):
        for name, (url, opener) in clients.items():
            base, more_tokens = cost_of(url, opener, 1, few), cost_of(url, opener, TOKENS, few)
            more_requests = cost_of(url, opener, 1, many)
            answered = (base.requests, more_tokens.requests, more_requests.requests)
            assert answered == (len(few), len(few), len(many)), f"{name}: not every request was answered"
            per_request = (more_requests.cpu_seconds - base.cpu_seconds) / (len(many) - len(few))
            per_token = (more_tokens.cpu_seconds - base.cpu_seconds) / (more_tokens.tokens - base.tokens)
            found[name].append((per_request * 1e6, per_token * 1e6))
    return {name: _medians(pairs) for name, pairs in found.items()}


def _offsets(rate_per_second: int, seconds: float) -> np.ndarray[Any, Any]:
    return np.arange(int(rate_per_second * seconds)) / rate_per_second


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def grpcio_cost(url: str) -> float:
    """Return the µs of CPU a message that grpcio's own asyncio client takes, 200 streams at full speed."""
    request = pb.GenerateRequest(
        request_id="r", text=PROMPT, stream=True, sampling_params=pb.SamplingParams(max_tokens=200)
    )

    async def one(stub: Any) -> int:
        call = stub.Generate(request, metadata=(("x-golden", "ttft=1ms,gap=1ms"),))
        return len([message async for message in call])

    async def go() -> int:
        async with grpc.aio.insecure_channel(url.removeprefix("grpc://")) as channel:
            stub = service.VllmEngineStub(channel)
            return sum(await asyncio.gather(*(one(stub) for _ in range(200))))

    began = time.process_time()
    messages = asyncio.run(go())
    return (time.process_time() - began) / messages * 1e6


def own_cost(url: str) -> float:
    """Return the µs of CPU a token that our client takes over the same streams at full speed."""
    cost = cost_of(url, None, 200, np.zeros(200))
    return cost.cpu_seconds / cost.tokens * 1e6


def say(name: str, value: float, unit: str, reference: str, reference_value: float, **more: Any) -> None:
    ratio = round(value / reference_value, 3) if reference_value else None
    line = {"name": name, "value": round(value, 3), "unit": unit, "reference": reference}
    print(
        json.dumps({**line, "reference_value": round(reference_value, 3), "ratio": ratio, **more}), flush=True
    )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    raise_descriptor_limit()
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    cores = sorted(os.sched_getaffinity(0))
    with golden_grpc(f"ttft=20ms,gap={GAP}", core=cores[0] if len(cores) > 1 else None) as golden:
        os.sched_setaffinity(0, set(cores[1:2] or cores))
        report_costs(measure(golden, seconds))
    with golden_grpc("ttft=1ms,gap=1ms", core=cores[0] if len(cores) > 1 else None) as golden:
        say("grpc_cpu_per_token_at_full_speed", own_cost(golden.url), "us", "grpcio's asyncio client",
            grpcio_cost(golden.url), streams=200)  # fmt: skip
    report_streams(cores[0] if len(cores) > 1 else None)


def report_costs(found: dict[str, tuple[float, float]]) -> None:
    per_request, per_token = found.pop("grpc")
    more = {"rate_per_second": RATE_PER_SECOND, "tokens_per_answer": TOKENS, "rounds": ROUNDS}
    for reference, (of_request, of_token) in found.items():
        say("grpc_cpu_per_request", per_request, "us", reference, of_request, **more)
        say("grpc_cpu_per_token", per_token, "us", reference, of_token, **more)
        whole, of_whole = per_request + (TOKENS - 1) * per_token, of_request + (TOKENS - 1) * of_token
        say("grpc_cpu_per_answer", whole, "us", reference, of_whole, **more)


def report_streams(core: int | None) -> None:
    """Open 10,000 streams at once, and count them on the server."""
    with golden_grpc("ttft=6s,gap=500ms,tokens=3", core=core) as golden:
        cost = cost_of(golden.url, None, 3, np.linspace(0, 4, STREAMS, endpoint=False))
        truth, seen = golden.stop()
    say("grpc_concurrent_streams", seen.most_streams, "streams", "goal", STREAMS, channels=seen.connections,
        most_streams_on_one_channel=seen.most_streams_on_one)  # fmt: skip
    say("grpc_tokens_counted", cost.tokens, "tokens", "the server's own log", truth.total_tokens)


if __name__ == "__main__":
    main()
