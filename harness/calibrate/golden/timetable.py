"""When each token comes and how the answer ends: a value, read from one short line of text.

``ttft=20ms,gap=lognormal(10ms,0.5),tokens=64,stall=32:400ms``
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import numpy as np

from harness.scenario.units import plain_number

_UNITS_NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_DURATION = r"([0-9]{1,13}(?:\.[0-9]{1,9})?)(ns|us|ms|s)"
_LONGEST_NS = 3_600_000_000_000
_LARGEST_COUNT = 1_000_000
_LARGEST_SIGMA = 5.0
_DRAWS = 8192  # a power of two, so that a position wraps by a mask
_COMMA_OUTSIDE_BRACKETS = re.compile(r",(?![^(]*\))")


@dataclass(frozen=True, slots=True)
class Delay:
    """A wait in nanoseconds: always ``median_ns``, or lognormal around it where ``sigma`` is above 0."""

    median_ns: int
    sigma: float = 0.0


@dataclass(frozen=True, slots=True)
class Timetable:
    """Token numbers count from 1; every fault is off unless named.

    ``tokens`` None: as many as the request's ``max_tokens``. ``stalls`` are (token, nanoseconds) that this
    token comes later. ``truncate_after`` tokens the stream ends in order, without a reason and without
    ``[DONE]``; ``reset_after`` tokens, when the next one is due, the connection is reset.
    """

    ttft: Delay = Delay(20_000_000)
    gap: Delay = Delay(10_000_000)
    tokens: int | None = None
    stalls: tuple[tuple[int, int], ...] = ()
    status: int = 200
    truncate_after: int | None = None
    reset_after: int | None = None

    @classmethod
    def parse(cls, text: str, base: Timetable | None = None) -> Timetable:
        """Read ``key=value,…``; keys that are not named keep ``base``'s values.

        Raises ValueError with one sentence that names the key, what was given and what is allowed.
        """
        values: dict[str, Any] = {}
        for item in filter(None, (part.strip() for part in _COMMA_OUTSIDE_BRACKETS.split(text))):
            key, _, given = item.partition("=")
            if key not in _KEYS:
                raise ValueError(f"timetable: unknown key {key!r}; allowed: {', '.join(_KEYS)}")
            field, read = _KEYS[key]
            value = read(key, given)
            values[field] = (*values.get(field, ()), value) if key == "stall" else value
        return replace(base or cls(), **values)

    def __str__(self) -> str:
        """Write the line that reads back as this value."""
        counts = (("tokens", self.tokens), ("truncate", self.truncate_after), ("reset", self.reset_after))
        parts = [f"ttft={_written(self.ttft)}", f"gap={_written(self.gap)}"]
        parts += [f"{key}={count}" for key, count in counts if count is not None]
        parts += [f"stall={token}:{wait_ns}ns" for token, wait_ns in self.stalls]
        return ",".join([*parts, *([f"status={self.status}"] if self.status != 200 else [])])

    def offsets_ns(self, tokens: int, position: int) -> list[int]:
        """Return when each of ``tokens`` tokens is due after the request's arrival.

        ``position`` is where the request begins in the tables of drawn delays (see ``drawn``).
        """
        first, gaps, stalls = drawn(self.ttft), drawn(self.gap), dict(self.stalls)
        due_ns, offsets = first[position & (len(first) - 1)] + stalls.get(1, 0), []
        for token in range(1, tokens + 1):
            offsets.append(due_ns)
            due_ns += gaps[(position + token) & (len(gaps) - 1)] + stalls.get(token + 1, 0)
        return offsets


@lru_cache(maxsize=256)
def drawn(delay: Delay) -> array[int]:
    """Return the delay's values in nanoseconds, drawn once: 1 when it is fixed, else 8192.

    The same in every process, so that a request's timetable follows from its line and its position alone.
    """
    if not delay.sigma:
        return array("q", [delay.median_ns])
    draws = np.random.default_rng(0).standard_normal(_DRAWS)
    values = np.minimum(delay.median_ns * np.exp(delay.sigma * draws), _LONGEST_NS)
    table: array[int] = array("q")
    table.frombytes(np.round(values).astype(np.int64).tobytes())
    return table


def _delay(key: str, given: str) -> Delay:
    match = re.fullmatch(rf"lognormal\(\s*{_DURATION}\s*,\s*([0-9]+(?:\.[0-9]+)?)\s*\)", given)
    if match is None:
        return Delay(_duration_ns(key, given))
    sigma = float(match[3])
    if sigma > _LARGEST_SIGMA:
        raise ValueError(f"timetable: {key}={given}; allowed: a sigma from 0 to {_LARGEST_SIGMA:g}")
    return Delay(_duration_ns(key, f"{match[1]}{match[2]}"), sigma)


def _duration_ns(key: str, given: str) -> int:
    match = re.fullmatch(_DURATION, given)
    duration_ns = round(float(match[1]) * _UNITS_NS[match[2]]) if match else _LONGEST_NS + 1
    if duration_ns > _LONGEST_NS:
        also = " or lognormal(10ms,0.5)" if key in {"ttft", "gap"} else ""
        raise ValueError(
            f"timetable: {key}={given}; allowed: a duration up to an hour, such as 10ms or 1.5s{also}"
        )
    return duration_ns


def _count_from(least: int, most: int = _LARGEST_COUNT) -> Callable[[str, str], int]:
    def read(key: str, given: str) -> int:
        if not re.fullmatch(r"[0-9]{1,8}", given) or not least <= int(given) <= most:
            raise ValueError(f"timetable: {key}={given}; allowed: a whole number from {least} to {most}")
        return int(given)

    return read


def _status(key: str, given: str) -> int:
    known = {str(int(status)) for status in HTTPStatus if status == HTTPStatus.OK or status >= 400}
    if given not in known:
        raise ValueError(f"timetable: {key}={given}; allowed: 200 or an error's, such as 429 or 503")
    return int(given)


def _stall(key: str, given: str) -> tuple[int, int]:
    token, colon, wait = given.partition(":")
    if not colon:
        raise ValueError(f"timetable: {key}={given}; allowed: TOKEN:DURATION such as 32:400ms")
    return _count_from(1)(key, token), _duration_ns(key, wait)


def _written(delay: Delay) -> str:
    fixed = f"{delay.median_ns}ns"
    return f"lognormal({fixed},{plain_number(delay.sigma)})" if delay.sigma else fixed


_KEYS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "ttft": ("ttft", _delay),
    "gap": ("gap", _delay),
    "tokens": ("tokens", _count_from(1)),
    "stall": ("stalls", _stall),
    "status": ("status", _status),
    "truncate": ("truncate_after", _count_from(0)),
    "reset": ("reset_after", _count_from(0)),
}
