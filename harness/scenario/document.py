"""A YAML file read strictly: its data, and the line and the text of every key for messages about mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.errors import Mistake, UsageError
from harness.scenario.checks import Path as KeyPath
from harness.scenario.checks import Problem, dotted

_MAX_NODES = 100_000
"""Aliases can make a small file huge; no scenario comes near this."""


@dataclass(slots=True)
class Document:
    """``data`` as plain Python values; ``lines`` (from 1) and ``texts`` by key path; duplicate keys found."""

    file: Path
    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    texts: dict[KeyPath, str] = field(default_factory=dict)
    duplicates: list[Problem] = field(default_factory=list)

    def mistake(self, problem: Problem) -> Mistake:
        """Give a problem its file and its line: that of the key, or of the nearest key around it."""
        path = problem.path
        while path and path not in self.lines:
            path = path[:-1]
        key = dotted(problem.path) or "the file"
        return Mistake(self.file, self.lines.get(path), key, problem.given, problem.allowed)

    def given(self, path: KeyPath) -> str:
        """Return what stands at a key path, as it is written in the file."""
        return self.texts.get(path, "nothing")


def read_document(file: Path) -> Document:
    """Read one YAML document. Raises UsageError when it cannot be read as one mapping."""
    text = _read_text(file)
    document = Document(file)
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            _index(node, document)
            document.data = loader.construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _broken(file, error) from None
    finally:
        loader.dispose()
    if not isinstance(document.data, dict):
        mistake = document.mistake(Problem((), document.given(()), "a mapping of keys to values"))
        raise UsageError(f"{file} is not a scenario or SLO file", (mistake,))
    return document


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        given = Mistake(file, None, "the file", str(reason).lower(), "a readable YAML file")
        raise UsageError(f"{file} cannot be read", (given,)) from None


def _broken(file: Path, error: Exception) -> UsageError:
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or str(error).split("\n")[0]
    line = mark.line + 1 if mark is not None else None
    return UsageError(f"{file} is not valid YAML", (Mistake(file, line, "YAML", str(reason), "valid YAML"),))


def _index(root: yaml.Node, document: Document) -> None:
    """Record line and text of every key, depth first, without recursion into an alias of itself."""
    stack: list[tuple[KeyPath, yaml.Node, int, frozenset[int]]] = [((), root, 1, frozenset())]
    while stack:
        path, node, line, above = stack.pop()
        if id(node) in above or len(document.lines) >= _MAX_NODES:
            raise ValueError("aliases that make the file endless")
        document.lines[path] = line
        document.texts[path] = _text(node)
        children = _children(node, path, document)
        stack.extend((*child, above | {id(node)}) for child in children)


def _children(node: yaml.Node, path: KeyPath, document: Document) -> Iterator[tuple[KeyPath, yaml.Node, int]]:
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), item, item.start_mark.line + 1
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in seen:
                problem = Problem((*path, key), f"the key again in line {line}", "each key once")
                document.duplicates.append(problem)
            seen.add(key)
            yield (*path, key), value, line


def _text(node: yaml.Node, depth: int = 0) -> str:
    """Write a node in one short line: scalars as given, deeper structure as an ellipsis."""
    if isinstance(node, yaml.ScalarNode):
        text = str(node.value) or "nothing"
        return text if len(text) <= 80 else f"{text[:77]}…"
    if depth > 0:
        return "…"
    if isinstance(node, yaml.SequenceNode):
        return f"[{', '.join(_text(item, 1) for item in node.value[:8])}]"
    pairs = (f"{key.value}: {_text(value, 1)}" for key, value in node.value[:8])
    return f"{{{', '.join(pairs)}}}"
