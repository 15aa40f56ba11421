"""Checks across a scenario's parts, on plain data, so that they also run when single values are wrong.

A scenario with a misspelt rate and two stages of one name hears of both at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.scenario.metrics import SPIKE_METRICS
from harness.scenario.units import parse_rate

Path = tuple[str | int, ...]
GRPC = "vllm-grpc"


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake at a key path, before it is given its file and line."""

    path: Path
    given: str
    allowed: str

    def __str__(self) -> str:
        return f"{dotted(self.path)}: given {self.given}; allowed: {self.allowed}"


def dotted(path: Path) -> str:
    """Write a key path as people read it: ``stages[2].rate``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def cross_problems(data: dict[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong between parts that are each well formed."""
    if isinstance(data.get("target"), dict):
        yield from target_problems(data["target"])
    stages = _mappings(data.get("stages"))
    names = [stage["name"] for _, stage in stages if isinstance(stage.get("name"), str)]
    yield from _duplicates(stages, "stages")
    yield from _duplicates(_mappings(data.get("slos")), "slos")
    for index, slo in _mappings(data.get("slos")):
        yield from unknown_stages(slo.get("stages"), names, ("slos", index, "stages"))
    yield from _spike_problems(data, names)
    if isinstance(data.get("workload"), dict):
        yield from _trace_length_problems(data["workload"], [stage for _, stage in stages])
        yield from _prefix_problems(data["workload"])
    if stages and data.get("loop") != "closed" and all(_is_silent(stage) for _, stage in stages):
        yield Problem(("stages",), "stages that send nothing", "at least one stage with a rate above zero")


def with_protocol(target: dict[str, Any]) -> dict[str, Any]:
    """Add what follows: the protocol from the URL's scheme, the API from the protocol."""
    added = dict(target)
    if _is_grpc_url(target.get("url")):
        added.setdefault("protocol", GRPC)
    if added.get("protocol") == GRPC:
        added.setdefault("api", "completions")
    return added


def target_problems(target: dict[str, Any]) -> Iterator[Problem]:
    """Yield what does not fit together in ``target``."""
    url, full = target.get("url"), with_protocol(target)
    grpc = full.get("protocol") == GRPC
    if grpc and isinstance(url, str) and not _is_grpc_url(url):
        allowed = "a gRPC URL beside protocol: vllm-grpc, such as grpc://127.0.0.1:50051"
        yield Problem(("target", "url"), repr(url), allowed)
    if _is_grpc_url(url) and full.get("protocol") == "http":
        yield Problem(("target", "protocol"), "'http'", f"{GRPC}, or no protocol, beside a gRPC URL")
    if grpc and full.get("api") == "chat":
        allowed = f"completions, or no api: protocol {GRPC} takes the prompt itself, without a chat template"
        yield Problem(("target", "api"), "'chat'", allowed)
    if not grpc and target.get("streams_per_channel") is not None:
        allowed = f"only beside protocol: {GRPC}: an HTTP/1.1 connection carries one request at a time"
        yield Problem(("target", "streams_per_channel"), str(target["streams_per_channel"]), allowed)
    if grpc and target.get("source_addresses") is not None:
        given = str(target["source_addresses"])
        yield Problem(("target", "source_addresses"), given, "none beside gRPC: its channels are few")
    if grpc and target.get("connection") == "close":
        yield Problem(("target", "connection"), "'close'", "keep_alive beside gRPC: requests share channels")


def unknown_stages(given: Any, names: list[str], path: Path) -> Iterator[Problem]:
    """Yield a problem for every stage name in ``given`` that is not in ``names``."""
    for index, stage in enumerate(given if isinstance(given, list | tuple) else ()):
        if isinstance(stage, str) and stage not in names:
            yield Problem((*path, index), repr(stage), f"a stage of this scenario ({', '.join(names)})")


def _is_grpc_url(url: Any) -> bool:
    return isinstance(url, str) and url.strip().lower().startswith(("grpc://", "grpcs://"))


def _mappings(given: Any) -> list[tuple[int, dict[str, Any]]]:
    items = enumerate(given) if isinstance(given, list | tuple) else ()
    return [(index, item) for index, item in items if isinstance(item, dict)]


def _duplicates(items: list[tuple[int, dict[str, Any]]], key: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, item in items:
        name = item.get("name")
        if not isinstance(name, str):
            continue
        if name in seen:
            yield Problem((key, index, "name"), repr(name), "a name that no other entry of the list has")
        seen.add(name)


def _spike_problems(data: dict[str, Any], names: list[str]) -> Iterator[Problem]:
    spike = data.get("spike")
    if isinstance(spike, dict):
        for key in ("stage", "baseline"):
            yield from (
                Problem(("spike", key), problem.given, problem.allowed)
                for problem in unknown_stages([spike.get(key)], names, ())
            )
        yield from _spike_order_problems(spike, names)
        return
    for index, slo in _mappings(data.get("slos")):
        if slo.get("metric") in SPIKE_METRICS:
            allowed = "this metric only in a scenario with spike: {stage: …, baseline: …}"
            yield Problem(("slos", index, "metric"), str(slo["metric"]), allowed)


def _spike_order_problems(spike: dict[str, Any], names: list[str]) -> Iterator[Problem]:
    stage, baseline = spike.get("stage"), spike.get("baseline")
    if stage in names and baseline in names and names.index(str(baseline)) >= names.index(str(stage)):
        yield Problem(("spike", "baseline"), repr(baseline), "a stage before the spike's")


def _trace_length_problems(workload: dict[str, Any], stages: list[dict[str, Any]]) -> Iterator[Problem]:
    all_replay = all(stage.get("trace") is not None for stage in stages)
    for key in ("prompt_tokens", "output_tokens"):
        if workload.get(key) == "trace" and not all_replay:
            allowed = "trace only when every stage replays a trace; else a number or a distribution"
            yield Problem(("workload", key), "'trace'", allowed)


def _prefix_problems(workload: dict[str, Any]) -> Iterator[Problem]:
    prefix, prompt_tokens = workload.get("shared_prefix"), workload.get("prompt_tokens")
    if not isinstance(prefix, dict):
        return
    if workload.get("prompts_file") is not None:
        yield Problem(("workload", "shared_prefix"), "prompts_file beside it", "one of the two")
    tokens = prefix.get("tokens")
    if isinstance(tokens, int) and isinstance(prompt_tokens, int) and tokens >= prompt_tokens:
        allowed = f"fewer than prompt_tokens ({prompt_tokens}), which the prefix is part of"
        yield Problem(("workload", "shared_prefix", "tokens"), str(tokens), allowed)


def _is_silent(stage: dict[str, Any]) -> bool:
    """Say whether a stage surely sends nothing: all its rates are written as zero."""
    change = stage.get("ramp") or stage.get("decay")
    rates = [change.get("from"), change.get("to")] if isinstance(change, dict) else [stage.get("rate")]
    return all(_is_zero(rate) for rate in rates)


def _is_zero(rate: Any) -> bool:
    try:
        return parse_rate(rate).value == 0
    except ValueError:
        return False
