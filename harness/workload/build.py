"""Build the workload of a scenario: read its files once, before any load."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.scenario.model import Scenario, Target
from harness.scenario.prompts_file import read_prompts
from harness.scenario.trace_file import read_trace
from harness.workload.draws import Draws
from harness.workload.lengths import length_of
from harness.workload.prompts import FilePrompts, Prompts, SyntheticPrompts
from harness.workload.token_ids import TokenIds
from harness.workload.tokenizer import Measure, measure_with
from harness.workload.workload import Workload


def build_workload(scenario: Scenario) -> Workload:
    """Return the scenario's workload. Raises UsageError for a prompts file, a tokenizer or a trace."""
    spec, seed = scenario.workload, scenario.seed
    measure = measure_with(spec.tokenizer)
    typical_input, typical_output = _typical_tokens(scenario)
    prompts = _prompts(scenario, measure)
    return Workload(
        constant=_constant_body(scenario.target),
        chat=scenario.target.api == "chat",
        prompts=prompts,
        prompt_tokens=length_of(spec.prompt_tokens, Draws(seed, "prompt tokens"), typical_input),
        output_tokens=length_of(spec.output_tokens, Draws(seed, "output tokens"), typical_output),
        prompt_length_basis=measure.basis,
        token_ids=_token_ids(scenario.target, measure),
        always=[] if _asks_one_thing(prompts, spec.output_tokens) else None,
    )


def _asks_one_thing(prompts: Prompts, output_tokens: object) -> bool:
    """Say whether every request is the same: one line in the file, and one length of the answer."""
    only = prompts.only if isinstance(prompts, FilePrompts) else None
    return only is not None and (only.max_tokens is not None or isinstance(output_tokens, int))


def _token_ids(target: Target, measure: Measure) -> TokenIds | None:
    """Return what makes ids of prompts, for an engine that takes them and where we have its tokenizer."""
    if target.protocol != "vllm-grpc" or measure.tokenizer is None:
        return None
    return TokenIds(measure.tokenizer, measure.words)


def _prompts(scenario: Scenario, measure: Measure) -> Prompts:
    spec = scenario.workload
    if spec.prompts_file is not None:
        return FilePrompts(read_prompts(spec.prompts_file), measure)
    return SyntheticPrompts(scenario.seed, measure, spec.shared_prefix)


def _constant_body(target: Target) -> dict[str, Any]:
    body: dict[str, Any] = {"model": target.model, "temperature": target.temperature, "stream": target.stream}
    if target.model is None:
        del body["model"]
    if target.stream:
        body["stream_options"] = {"include_usage": True}
    if target.ignore_eos:
        # An extension of vLLM and others: only sent when asked for, since strict servers refuse it.
        body["ignore_eos"] = True
    return body


def _typical_tokens(scenario: Scenario) -> tuple[int, int]:
    """Return the median lengths of the replayed windows, for requests outside the plan (the probe's)."""
    if "trace" not in (scenario.workload.prompt_tokens, scenario.workload.output_tokens):
        return 1, 1
    windows = [
        read_trace(replay.file, replay.format).window(replay.start, stage.duration * replay.speed)
        for stage in scenario.stages
        if (replay := stage.trace) is not None
    ]
    return _median([window.input_tokens for window in windows]), _median(
        [window.output_tokens for window in windows]
    )


def _median(parts: list[np.ndarray[Any, np.dtype[np.int32]]]) -> int:
    return round(float(np.median(np.concatenate(parts))))
