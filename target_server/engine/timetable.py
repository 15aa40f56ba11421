"""The scripted engine's timetable: when each token comes and what goes wrong, written as one short line."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Ending = Literal["finish", "truncate", "error"]

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Course:
    """What one request will live through: ``tokens`` tokens, then its ending."""

    tokens: int
    ending: Ending


@dataclass(frozen=True, slots=True)
class ScriptedTimetable:
    """Delays in seconds, counts in tokens or requests; every fault is off unless named.

    ``tokens`` None answers with as many as the client allows. ``fail_rate`` is the share of requests that
    fail before their first token, ``fail_at`` the number (from 1) of one that does. The rest hold for every
    request: ``stall_at`` tokens come, then nothing for ``stall_seconds``; after ``truncate_at`` tokens the
    stream ends without a reason, after ``error_at`` tokens it ends with an error.
    """

    ttft_seconds: float = 0.05
    gap_seconds: float = 0.01
    tokens: int | None = None
    slots: int = 8
    queue_limit: int = 64
    max_sequence_length: int = 32_768
    seed: int = 0
    fail_rate: float = 0.0
    fail_at: int | None = None
    stall_at: int | None = None
    stall_seconds: float = 0.0
    truncate_at: int | None = None
    error_at: int | None = None

    @classmethod
    def parse(cls, text: str) -> ScriptedTimetable:
        """Read ``ttft=50ms,gap=10ms,slots=8,queue=64,fail=0.01,stall=12:5s,truncate=4``.

        Keys: ttft, gap, tokens, slots, queue, context, seed, fail, fail_at, stall, truncate, error.
        Raises ValueError that names the key, what was given and what is allowed.
        """
        values: dict[str, Any] = {}
        for item in filter(None, (part.strip() for part in text.split(","))):
            key, _, given = item.partition("=")
            if key not in _KEYS:
                raise ValueError(f"timetable: unknown key {key!r}; allowed: {', '.join(_KEYS)}")
            values.update(_KEYS[key](key, given))
        return cls(**values)

    def course(self, number: int, max_tokens: int, ignore_eos: bool) -> Course:
        """Return what request ``number`` (from 1) will live through."""
        if number == self.fail_at or self._drawn_to_fail(number):
            return Course(0, "error")
        wanted = max_tokens if self.tokens is None or ignore_eos else min(self.tokens, max_tokens)
        if self.error_at is not None and self.error_at < wanted:
            return Course(self.error_at, "error")
        if self.truncate_at is not None and self.truncate_at < wanted:
            return Course(self.truncate_at, "truncate")
        return Course(wanted, "finish")

    def due_seconds(self, token: int) -> float:
        """Return when token ``token`` (from 0) comes, counted from the moment the request got its slot."""
        stall = self.stall_seconds if self.stall_at is not None and token >= self.stall_at else 0.0
        return self.ttft_seconds + token * self.gap_seconds + stall

    def _drawn_to_fail(self, number: int) -> bool:
        return self.fail_rate > 0 and random.Random(f"{self.seed}:{number}").random() < self.fail_rate


def _seconds(key: str, given: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(us|ms|s)", given)
    if match is None:
        raise ValueError(f"timetable: {key}={given}; allowed: a duration such as 50ms or 1.5s")
    return float(match[1]) * _UNITS[match[2]]


def _count(key: str, given: str, least: int) -> int:
    if not given.isdecimal() or int(given) < least:
        raise ValueError(f"timetable: {key}={given}; allowed: a whole number from {least}")
    return int(given)


def _share(key: str, given: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", given) is None or float(given) > 1:
        raise ValueError(f"timetable: {key}={given}; allowed: a share from 0 to 1")
    return float(given)


def _stall(key: str, given: str) -> dict[str, Any]:
    tokens, colon, duration = given.partition(":")
    if not colon:
        raise ValueError(f"timetable: {key}={given}; allowed: TOKENS:DURATION such as 12:5s")
    return {"stall_at": _count(key, tokens, 0), "stall_seconds": _seconds(key, duration)}


def _duration_as(field: str) -> Callable[[str, str], dict[str, Any]]:
    return lambda key, given: {field: _seconds(key, given)}


def _count_as(field: str, least: int) -> Callable[[str, str], dict[str, Any]]:
    return lambda key, given: {field: _count(key, given, least)}


_KEYS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "ttft": _duration_as("ttft_seconds"),
    "gap": _duration_as("gap_seconds"),
    "tokens": _count_as("tokens", 1),
    "slots": _count_as("slots", 1),
    "queue": _count_as("queue_limit", 0),
    "context": _count_as("max_sequence_length", 2),
    "seed": _count_as("seed", 0),
    "fail": lambda key, given: {"fail_rate": _share(key, given)},
    "fail_at": _count_as("fail_at", 1),
    "stall": _stall,
    "truncate": _count_as("truncate_at", 0),
    "error": _count_as("error_at", 0),
}
