"""Frozen dataclasses ↔ JSON, with +inf and nan kept apart (JSON knows neither)."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from harness.errors import UsageError

T = TypeVar("T")
_INFINITIES = {"+Inf": math.inf, "-Inf": -math.inf}


def to_json(value: Any) -> str:
    """Return the value as indented JSON: +inf as ``"+Inf"``, nan as ``null``."""
    return json.dumps(to_plain(value), indent=1, allow_nan=False) + "\n"


def from_json(kind: type[T], text: str, schema_version: int) -> T:
    """Read ``to_json``'s text. Raise UsageError when it is broken or has another ``schema_version``."""
    try:
        data = json.loads(text)
        if data["schema_version"] != schema_version:
            given = data["schema_version"]
            raise UsageError(
                f"{kind.__name__} has schema version {given}; this program reads {schema_version}"
            )
        return from_plain(kind, data)  # type: ignore[no-any-return]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"not a {kind.__name__}: {type(error).__name__}: {error}") from error


def to_plain(value: Any) -> Any:
    """Return dicts, lists and scalars that strict JSON can hold."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return _plain_float(value)
    if is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: Any, data: Any) -> Any:
    """Return ``data`` as the annotated type ``kind``. Raise KeyError, TypeError, ValueError if it is not."""
    origin = get_origin(kind)
    if kind is float:
        return _read_float(data)
    if origin in (Union, types.UnionType):
        inner = [option for option in get_args(kind) if option is not type(None)]
        return None if data is None else from_plain(inner[0], data)
    if origin is tuple:
        return _read_tuple(get_args(kind), data)
    if origin is dict:
        return {key: from_plain(get_args(kind)[1], item) for key, item in data.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**{name: from_plain(hint, data[name]) for name, hint in _hints(kind).items()})
    return _read_scalar(kind, data)


def _read_scalar(kind: Any, data: Any) -> Any:
    if kind is Any:
        return data
    if get_origin(kind) is Literal:
        if data not in get_args(kind):
            raise ValueError(f"{data!r} is none of {get_args(kind)}")
        return data
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    if not isinstance(data, kind):
        raise TypeError(f"{data!r} is not {kind.__name__}")
    return data


def _read_tuple(options: tuple[Any, ...], data: Any) -> tuple[Any, ...]:
    if len(options) == 2 and options[1] is Ellipsis:
        return tuple(from_plain(options[0], item) for item in data)
    return tuple(from_plain(option, item) for option, item in zip(options, data, strict=True))


def _plain_float(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return value


def _read_float(data: Any) -> float:
    if data is None:
        return math.nan
    return _INFINITIES[data] if isinstance(data, str) else float(data)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
