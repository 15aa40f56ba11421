"""Traces of real traffic: when each request arrived and how long its prompt and its answer were.

- azure: CSV with the header ``TIMESTAMP,ContextTokens,GeneratedTokens`` (Azure LLM inference trace 2023).
- mooncake: JSON lines with ``timestamp`` (milliseconds), ``input_length``, ``output_length``.
- generic: CSV with the header ``timestamp,input_tokens,output_tokens``; seconds, or ISO 8601 date and time.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.errors import Mistake, UsageError

_MAX_TOKENS = 2**31 - 1
_HEADERS = {
    "azure": ("TIMESTAMP", "ContextTokens", "GeneratedTokens"),
    "generic": ("timestamp", "input_tokens", "output_tokens"),
}


@dataclass(frozen=True, slots=True)
class Trace:
    """n requests sorted by time. ``offsets_seconds`` begins at 0, the first request's time."""

    offsets_seconds: NDArray[np.float64]
    input_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offsets_seconds)

    def window(self, start_seconds: float, length_seconds: float) -> Trace:
        """Return the requests of [start, start + length), with offsets counted from the window's start."""
        first, last = np.searchsorted(self.offsets_seconds, [start_seconds, start_seconds + length_seconds])
        pick = slice(int(first), int(last))
        return Trace(
            self.offsets_seconds[pick] - start_seconds, self.input_tokens[pick], self.output_tokens[pick]
        )


_MOMENT = re.compile(r"^(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)?$")

Row = tuple[float, int, int]
"""Seconds (from any zero), input tokens, output tokens."""


def read_trace(file: Path, format: str = "auto") -> Trace:
    """Read a trace. Raises UsageError with file and line when it is missing, empty or not of the format."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise _mistake(file, None, "the trace", str(reason).lower(), "a readable trace file") from None
    lines = text.splitlines()
    if not any(line.strip() for line in lines):
        raise _mistake(file, None, "the trace", "an empty file", "at least one request")
    rows = _rows(file, lines, _detect(file, lines) if format == "auto" else format)
    if not rows:
        raise _mistake(file, None, "the trace", "no requests", "at least one request")
    return _sorted_trace(rows)


def _rows(file: Path, lines: list[str], format: str) -> list[Row]:
    if format == "mooncake":
        return list(_parsed(file, _json_records(lines), _mooncake_row))
    header = _HEADERS[format]
    given = next(csv.reader(lines[:1]), [])
    if [name.strip() for name in given[:3]] != list(header):
        raise _mistake(file, 1, "the header", ",".join(given)[:80], ",".join(header))
    return list(_parsed(file, _csv_records(lines), _csv_row))


def _detect(file: Path, lines: list[str]) -> str:
    first = lines[0].strip()
    for format, header in _HEADERS.items():
        if first.replace(" ", "").startswith(",".join(header)):
            return format
    if first.startswith("{"):
        return "mooncake"
    allowed = "an azure or generic CSV header, or JSON lines of the mooncake format"
    raise _mistake(file, 1, "the first line", first[:80], allowed)


def _csv_records(lines: list[str]) -> Iterator[tuple[int, Any]]:
    reader = csv.reader(io.StringIO("\n".join(lines)))
    next(reader)
    for row in reader:
        if row:
            yield reader.line_num, row


def _json_records(lines: list[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, line


def _parsed(file: Path, records: Iterator[tuple[int, Any]], parse: Callable[[Any], Row]) -> Iterator[Row]:
    for number, record in records:
        try:
            row = parse(record)
        except (ValueError, IndexError, msgspec.MsgspecError):
            row = (float("nan"), 0, 0)
        if not (np.isfinite(row[0]) and 0 <= row[1] <= _MAX_TOKENS and 0 <= row[2] <= _MAX_TOKENS):
            given = record if isinstance(record, str) else ",".join(record)
            allowed = "a timestamp and two token counts that are whole numbers from 0"
            raise _mistake(file, number, "the row", given[:80], allowed)
        yield row


def _csv_row(row: list[str]) -> Row:
    return _seconds(row[0].strip()), int(row[1]), int(row[2])


def _seconds(text: str) -> float:
    """Read seconds, or a date and time. Azure writes seven digits after the point; datetime reads six."""
    moment = _MOMENT.match(text)
    if moment is None:
        return float(text)
    whole, fraction, zone = moment.groups()
    seconds = datetime.fromisoformat(whole + (zone or "Z")).timestamp()
    return seconds + float(fraction or 0)


class _MooncakeLine(msgspec.Struct):
    timestamp: float
    input_length: int
    output_length: int


_MOONCAKE = msgspec.json.Decoder(_MooncakeLine)


def _mooncake_row(line: str) -> Row:
    record = _MOONCAKE.decode(line)
    return record.timestamp / 1000, record.input_length, record.output_length


def _sorted_trace(rows: list[Row]) -> Trace:
    seconds = np.array([row[0] for row in rows], dtype=np.float64)
    order = np.argsort(seconds, kind="stable")
    return Trace(
        (seconds - seconds.min())[order],
        np.array([row[1] for row in rows], dtype=np.int32)[order],
        np.array([row[2] for row in rows], dtype=np.int32)[order],
    )


def _mistake(file: Path, line: int | None, key: str, given: str, allowed: str) -> UsageError:
    return UsageError(f"{file} cannot be replayed", (Mistake(file, line, key, given, allowed),))
