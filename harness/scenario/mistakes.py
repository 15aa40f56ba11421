"""pydantic's errors in words for people: key path, what was given, what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.scenario.checks import Path, Problem
from harness.scenario.document import Document
from harness.scenario.fields import SLUG_PATTERN

_PATTERNS = {SLUG_PATTERN: "lower-case letters, digits, - and _, starting and ending with a letter or digit"}
_SECRET = "a value that is not shown, because it may be a secret"


def problems_of(error: ValidationError, document: Document, model: type[BaseModel]) -> Iterator[Problem]:
    """Yield one problem per error. Checks across parts (type ``cross``) are reported by ``checks``."""
    details = error.errors(include_url=False)
    for detail in details:
        # pydantic does not count wrong items: a list of one wrong item would also be said to be too short.
        is_echo = detail["type"] == "too_short" and any(
            other["loc"][: len(detail["loc"])] == detail["loc"] for other in details if other is not detail
        )
        if detail["type"] != "cross" and not is_echo:
            yield _problem(detail, document, model)


def _problem(detail: ErrorDetails, document: Document, model: type[BaseModel]) -> Problem:
    path = _path_in_data(detail["loc"], document.data, detail["type"])
    if detail["type"] in ("extra_forbidden", "invalid_key"):
        return Problem(path, "an unknown key", _nearest_key(path, model))
    if detail["type"] == "missing":
        return Problem(path, "nothing", f"a value: {path[-1]} is required")
    given = _given(path, document)
    if detail["type"] == "literal_error":
        choices = re.findall(r"'([^']*)'", str(detail["ctx"]["expected"]))
        return Problem(path, given, f"{_hint(given, choices)}one of {', '.join(choices)}")
    return Problem(path, given, _allowed(detail))


def _path_in_data(location: tuple[int | str, ...], data: Any, kind: str) -> Path:
    """Drop from pydantic's location the names of union branches, which are not in the file."""
    path: list[str | int] = []
    for part in location:
        inside, child = _child(data, part)
        if inside:
            data = child
        elif not (kind == "missing" and part == location[-1]):
            continue
        path.append(part)
    return tuple(path)


def _child(data: Any, part: int | str) -> tuple[bool, Any]:
    if isinstance(data, list) and isinstance(part, int):
        return part < len(data), data[part] if part < len(data) else None
    return (True, data[part]) if isinstance(data, dict) and part in data else (False, None)


def _nearest_key(path: Path, model: type[BaseModel]) -> str:
    known = sorted(_known_keys(path[:-1], model))
    return f"{_hint(str(path[-1]), known)}one of {', '.join(known)}"


def _hint(given: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f"{near[0]} (the nearest), or " if near else ""


def _known_keys(path: Path, model: type[BaseModel]) -> set[str]:
    """Follow a key path through the models and return the keys that may stand at its end."""
    models: set[type[BaseModel]] = {model}
    for part in path:
        if isinstance(part, str):
            models = {found for one in models for found in _models_in(_annotation(one, part))}
    return {field.alias or name for one in models for name, field in one.model_fields.items()}


def _annotation(model: type[BaseModel], key: str) -> Any:
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return field.annotation
    return None


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _given(path: Path, document: Document) -> str:
    text = document.given(path)
    may_be_secret = path[-1:] == ("api_key_env",) or (path[-1:] == ("url",) and "@" in text)
    return _SECRET if may_be_secret else text


def _allowed(detail: ErrorDetails) -> str:
    """Return what may stand there, from pydantic's sentence about what is wrong."""
    context = detail.get("ctx", {})
    if context.get("pattern") in _PATTERNS:
        return _PATTERNS[context["pattern"]]
    if detail["type"] == "string_pattern_mismatch":
        return "the name of an environment variable, such as OPENAI_API_KEY"
    message = detail["msg"].removeprefix("Value error, ")
    for prefix in ("Input should be ", "String should ", "Tuple should "):
        message = message.removeprefix(prefix)
    return message.replace("a valid ", "a ")
