"""From a file to a scenario and back, and from rates in ``x`` to requests per second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from harness.errors import UsageError
from harness.scenario.checks import cross_problems, with_protocol
from harness.scenario.document import Document, read_document
from harness.scenario.fields import from_file_context
from harness.scenario.file_checks import file_mistakes, missing_files
from harness.scenario.metrics import parse_threshold, write_threshold
from harness.scenario.mistakes import problems_of
from harness.scenario.model import Decay, Ramp, Scenario, Slo, Stage, Target
from harness.scenario.objective import all_slos
from harness.scenario.units import Rate


def load_scenario(path: Path, *, trace: Path | None = None, check_files: bool = True) -> Scenario:
    """Read a scenario file; paths in it are relative to its folder.

    ``trace`` replaces the file of every stage that replays one. ``check_files=False`` leaves the files that
    the scenario names unread (its own text is checked all the same). Raises UsageError with every mistake.
    """
    document = read_document(path)
    if trace is not None:
        _replace_traces(document, str(trace.resolve()))
    mistakes = [document.mistake(problem) for problem in document.duplicates]
    scenario: Scenario | None = None
    try:
        context = from_file_context(path.resolve().parent)
        scenario = Scenario.model_validate(document.data, context=context)
    except ValidationError as error:
        mistakes += [document.mistake(problem) for problem in problems_of(error, document, Scenario)]
    mistakes += [document.mistake(problem) for problem in cross_problems(document.data)]
    if check_files:
        mistakes += [document.mistake(problem) for problem in missing_files(document)]
    if scenario is not None and not mistakes and check_files:
        mistakes += file_mistakes(scenario, document)
    if mistakes or scenario is None:
        ordered = tuple(sorted(mistakes, key=lambda mistake: (mistake.file != path, mistake.line or 0)))
        raise UsageError(f"{path}: {len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}", ordered)
    return scenario.model_copy(update={"slos": tuple(_with_sources(scenario, document))})


def aim(scenario: Scenario, url: str | None, model: str | None = None) -> Scenario:
    """Return the scenario with the command line's URL, whose scheme names the protocol, and its model.

    Raises UsageError when the URL is none, or one of another protocol than the scenario insists on.
    """
    given = {"url": url, "model": model}
    target = scenario.target.model_dump(exclude_none=True) | {
        key: value for key, value in given.items() if value
    }
    if target["protocol"] == "http":
        follows = with_protocol({"url": url})  # a grpc URL brings its own protocol and API
        target |= {key: follows[key] for key in ("protocol", "api") if key in follows}
    try:
        return scenario.model_copy(update={"target": Target.model_validate(target)})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"the target is not usable: {reason}") from None


def needs_capacity(scenario: Scenario) -> bool:
    """Say whether any rate or goodput threshold is a multiple of the capacity, so that a probe must run."""
    rates = [rate for stage in scenario.stages for rate in stage.rates()]
    thresholds = [parse_threshold(slo.metric, slo.threshold, False) for slo in all_slos(scenario)]
    rates += [threshold for threshold in thresholds if isinstance(threshold, Rate)]
    return any(rate.unit == "x" for rate in rates)


def resolve(scenario: Scenario, capacity_per_second: float | None) -> Scenario:
    """Return the scenario with absolute rates only, and with the SLO files' objectives inline.

    Raises ValueError when a multiple of the capacity stands there and ``capacity_per_second`` is None or not
    above zero.
    """
    if needs_capacity(scenario) and not (capacity_per_second or 0) > 0:
        raise ValueError("rates in x need a capacity above zero")
    stages = tuple(_absolute_stage(stage, capacity_per_second) for stage in scenario.stages)
    slos = tuple(_absolute_slo(slo, capacity_per_second) for slo in all_slos(scenario))
    return scenario.model_copy(update={"stages": stages, "slos": slos, "slo_files": ()})


def dump(scenario: Scenario) -> str:
    """Write the scenario as YAML with every default, so that it loads to the same load and objectives."""
    data = scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
    for stage in data["stages"]:
        if "trace" in stage:
            del stage["arrivals"]
    for entry in data["slos"]:
        for key in entry.keys() & {"at_most", "at_least"}:
            entry[key] = write_threshold(entry["metric"], entry[key])
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of scenario files, for editors."""
    schema = Scenario.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "tidegate scenario"}


def _replace_traces(document: Document, trace: str) -> None:
    stages = document.data.get("stages")
    for index, stage in enumerate(stages if isinstance(stages, list) else ()):
        if isinstance(stage, dict) and isinstance(stage.get("trace"), dict):
            stage["trace"]["file"] = trace
            document.texts["stages", index, "trace", "file"] = trace


def _with_sources(scenario: Scenario, document: Document) -> Iterator[Slo]:
    for index, slo in enumerate(scenario.slos):
        source = slo.source or f"{document.file.name}:{document.lines[('slos', index)]}"
        yield slo.model_copy(update={"source": source})


def _absolute_stage(stage: Stage, capacity_per_second: float | None) -> Stage:
    update: dict[str, Rate | Ramp | Decay] = {}
    if stage.rate is not None:
        update["rate"] = stage.rate.absolute(capacity_per_second)
    for key in ("ramp", "decay"):
        change: Ramp | Decay | None = getattr(stage, key)
        if change is not None:
            ends = {end: getattr(change, end).absolute(capacity_per_second) for end in ("from_", "to")}
            update[key] = change.model_copy(update=ends)
    return stage.model_copy(update=update)


def _absolute_slo(slo: Slo, capacity_per_second: float | None) -> Slo:
    threshold = parse_threshold(slo.metric, slo.threshold, False)
    if not isinstance(threshold, Rate):
        return slo
    key = "at_most" if slo.at_most is not None else "at_least"
    return slo.model_copy(update={key: str(threshold.absolute(capacity_per_second))})
