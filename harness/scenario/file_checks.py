"""Checks of the files that a scenario names: they exist, can be read, and hold what the scenario needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import Mistake, UsageError
from harness.scenario.checks import Path as KeyPath
from harness.scenario.checks import Problem, unknown_stages
from harness.scenario.document import Document
from harness.scenario.metrics import SPIKE_METRICS
from harness.scenario.model import Scenario, Slo, Stage
from harness.scenario.prompts_file import read_prompts
from harness.scenario.slo_file import read_slo_file
from harness.scenario.trace_file import read_trace
from harness.scenario.units import plain_number


def missing_files(document: Document) -> Iterator[Problem]:
    """Yield every file that the scenario names and that is not there; also of a scenario with mistakes."""
    folder = document.file.resolve().parent
    for path in _file_keys(document):
        file = folder / document.texts[path]
        is_tokenizer_folder = path[-1] == "tokenizer" and (file / "tokenizer.json").is_file()
        if not (file.is_file() or is_tokenizer_folder):
            yield Problem(path, document.texts[path], "a file that exists")


def _file_keys(document: Document) -> Iterator[KeyPath]:
    """Yield the key paths of all values that are texts and name a file."""
    fixed: set[KeyPath] = {("target", "ca_file"), ("workload", "prompts_file"), ("workload", "tokenizer")}
    for path in document.texts:
        is_slo_file = path[:1] == ("slo_files",) and len(path) == 2
        is_trace = path[:1] == ("stages",) and path[2:] == ("trace", "file")
        if path in fixed or is_slo_file or is_trace:
            yield path


def file_mistakes(scenario: Scenario, document: Document) -> Iterator[Mistake]:
    """Yield every mistake inside the files that the scenario names, all of which exist."""
    yield from _slo_file_mistakes(scenario, document)
    if scenario.workload.prompts_file is not None:
        yield from _reading_mistakes(read_prompts, scenario.workload.prompts_file)
    for index, stage in enumerate(scenario.stages):
        yield from _trace_mistakes(stage, index, document)


def _reading_mistakes(read: Callable[[Path], object], file: Path) -> Iterator[Mistake]:
    try:
        read(file)
    except UsageError as error:
        yield from error.mistakes


def _slo_file_mistakes(scenario: Scenario, document: Document) -> Iterator[Mistake]:
    taken = {slo.name for slo in scenario.slos}
    for index, file in enumerate(scenario.slo_files):
        path: KeyPath = ("slo_files", index)
        try:
            slos = read_slo_file(file)
        except UsageError as error:
            yield document.mistake(Problem(path, document.given(path), "a valid SLO file"))
            yield from error.mistakes
            continue
        for slo in slos:
            yield from map(document.mistake, _slo_problems(slo, scenario, path, taken))
            taken.add(slo.name)


def _slo_problems(slo: Slo, scenario: Scenario, path: KeyPath, taken: set[str]) -> Iterator[Problem]:
    names = [stage.name for stage in scenario.stages]
    given = f"{slo.source} ({slo.name})"
    if slo.name in taken:
        yield Problem(path, given, "an SLO whose name no other has")
    for problem in unknown_stages(slo.stages, names, ()):
        yield Problem(path, f"{given} with stage {problem.given}", problem.allowed)
    if slo.metric in SPIKE_METRICS and scenario.spike is None:
        allowed = f"{slo.metric} only in a scenario with spike: {{stage: …, baseline: …}}"
        yield Problem(path, given, allowed)


def _trace_mistakes(stage: Stage, index: int, document: Document) -> Iterator[Mistake]:
    if stage.trace is None:
        return
    path: KeyPath = ("stages", index, "trace", "file")
    try:
        trace = read_trace(stage.trace.file, stage.trace.format)
    except UsageError as error:
        yield document.mistake(Problem(path, document.given(path), "a trace that can be replayed"))
        yield from error.mistakes
        return
    end_seconds = float(trace.offsets_seconds[-1])
    if not len(trace.window(stage.trace.start, stage.duration * stage.trace.speed)):
        given = f"a window without requests: from {plain_number(stage.trace.start)}s on"
        allowed = f"a window in which requests arrive (the trace lasts {end_seconds:.1f}s)"
        yield document.mistake(Problem(("stages", index, "trace"), given, allowed))
