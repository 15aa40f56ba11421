"""The field types of the scenario model: how each is read, written and described in the JSON schema.

In a file every duration and rate carries its unit. Python code that builds a model may give plain seconds:
``load`` asks for the strict reading through the validation context.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationInfo
from pydantic import WithJsonSchema as Schema
from pydantic_core import Url as ParsedUrl

from harness.scenario import source_addresses, units
from harness.scenario.units import Rate


def from_file_context(folder: Path) -> dict[str, Any]:
    """Return the validation context of a file: units are required, paths are relative to ``folder``."""
    return {"from_file": True, "folder": folder}


class Strict(BaseModel):
    """A frozen model that refuses unknown keys and never converts between types."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )


def is_from_file(info: ValidationInfo) -> bool:
    """Say whether the value under validation comes from a file."""
    return bool(info.context and info.context.get("from_file"))


def _duration(given: Any, info: ValidationInfo) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool) and not is_from_file(info):
        seconds = float(given)
    else:
        seconds = units.parse_duration(given)
    if not 0 <= seconds < math.inf:
        raise ValueError(units.DURATION_ALLOWED)
    return seconds


def _positive_duration(given: Any, info: ValidationInfo) -> float:
    try:
        seconds = _duration(given, info)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise ValueError(f"{units.DURATION_ALLOWED}; above zero")
    return seconds


def _rate(given: Any) -> Rate:
    rate = given if isinstance(given, Rate) else units.parse_rate(given)
    if not 0 <= rate.value < math.inf:
        raise ValueError(units.RATE_ALLOWED)
    return rate


def _path(given: Any, info: ValidationInfo) -> Path:
    if isinstance(given, Path) or (isinstance(given, str) and given.strip() and "\0" not in given):
        folder = info.context["folder"] if info.context and is_from_file(info) else None
        return Path(given) if folder is None else (folder / given).resolve()
    raise ValueError("the path of a file")


_URL_ALLOWED = (
    "an http or https URL without user, password or query, such as http://127.0.0.1:8000, or a grpc or grpcs "
    "URL of host and port, such as grpc://127.0.0.1:50051"
)
_PAGE_ALLOWED = "an http or https URL without user and password, such as http://127.0.0.1:8000/metrics"


def _url(given: Any) -> str:
    """Accept a base URL, with or without ``/v1`` (the OpenAI clients write it), and keep it without."""
    url = _parsed(given, _URL_ALLOWED)
    if url.query or url.scheme not in ("http", "https", "grpc", "grpcs"):
        raise ValueError(_URL_ALLOWED)
    if url.scheme.startswith("grpc") and (url.port is None or (url.path or "/") != "/"):
        raise ValueError(_URL_ALLOWED)  # there is no usual port, and the service gives the path
    return str(given).strip().rstrip("/").removesuffix("/v1").rstrip("/")


def _page_url(given: Any) -> str:
    if _parsed(given, _PAGE_ALLOWED).scheme not in ("http", "https"):
        raise ValueError(_PAGE_ALLOWED)
    return str(given).strip()


def _parsed(given: Any, allowed: str) -> ParsedUrl:
    try:
        url = ParsedUrl(given)
    except (ValueError, TypeError):
        raise ValueError(allowed) from None
    if any((url.username, url.password, url.fragment)) or not url.host or url.port == 0 or " " in given:
        raise ValueError(allowed)
    return url


def _share(given: Any) -> float:
    return units.parse_share(given)


def _write_duration(seconds: float) -> str:
    return f"{units.plain_number(seconds)}s"


_DURATION = {"type": "string", "pattern": units.DURATION_PATTERN, "description": units.DURATION_ALLOWED}
_AS_DURATION = PlainSerializer(_write_duration, return_type=str)

DurationSeconds = Annotated[float, BeforeValidator(_duration), _AS_DURATION, Schema(_DURATION)]
"""Seconds, zero allowed."""

PositiveSeconds = Annotated[float, BeforeValidator(_positive_duration), _AS_DURATION, Schema(_DURATION)]
"""Seconds above zero."""

RateField = Annotated[
    Rate,
    BeforeValidator(_rate),
    PlainSerializer(str, return_type=str),
    Schema({"type": "string", "pattern": units.RATE_PATTERN, "description": units.RATE_ALLOWED}),
]

Speed = Annotated[
    float,
    BeforeValidator(units.parse_speed),
    PlainSerializer(lambda factor: f"{units.plain_number(factor)}x", return_type=str),
    Schema(
        {
            "anyOf": [
                {"type": "string", "pattern": units.SPEED_PATTERN},
                {"type": "number", "exclusiveMinimum": 0},
            ],
            "description": units.SPEED_ALLOWED,
        }
    ),
]

Share = Annotated[
    float,
    BeforeValidator(_share),
    Schema(
        {
            "anyOf": [
                {"type": "string", "pattern": units.SHARE_PATTERN},
                {"type": "number", "minimum": 0, "maximum": 1},
            ],
            "description": units.SHARE_ALLOWED,
        }
    ),
]

FilePath = Annotated[
    Path,
    BeforeValidator(_path),
    PlainSerializer(str, return_type=str),
    Schema({"type": "string", "minLength": 1, "description": "a path, relative to this file's folder"}),
]

Url = Annotated[
    str,
    BeforeValidator(_url),
    Schema({"type": "string", "format": "uri", "pattern": "^(https?|grpcs?)://"}),
]

PageUrl = Annotated[
    str,
    BeforeValidator(_page_url),
    Schema({"type": "string", "format": "uri", "pattern": "^https?://"}),
]

SourceAddresses = Annotated[
    tuple[str, ...],
    BeforeValidator(source_addresses.read),
    Schema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
            ],
            "description": source_addresses.ALLOWED,
        }
    ),
]

SLUG_PATTERN = r"^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$"
Slug = Annotated[
    str, Field(pattern=SLUG_PATTERN, description="lower-case letters, digits, - and _, up to 64")
]
