"""Trace ids derived from (run, request), so that record, span and log line join without a collector.

The header is W3C Trace Context, version 00: ``00-<32 hex trace id>-<16 hex span id>-<2 hex flags>``.

An id is one or two 64-bit words, each splitmix64's mix of a counter. The mix is a bijection, so two
requests of a run never share a span id or the low word of a trace id. The high word mixes the low one
with a key of the run, so two runs never share a trace id unless their 64-bit keys are equal. The counter
starts at 1 to 2^63 and stays below 2^64 for every seq of 63 bits: it is never 0, the one value that gives
a word of zeros, which the specification forbids. The seven bytes that must look random, so that others
may sample by them, are the last of the low word; we sample by that word too.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple

GAMMA = 0x9E3779B97F4A7C15
FIRST_FACTOR = 0xBF58476D1CE4E5B9
SECOND_FACTOR = 0x94D049BB133111EB
"""The increment and the factors of splitmix64 (Steele, Lea, Flood 2014; constants of Vigna's version)."""

_WORD = 2**64 - 1
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED_FLAG = 0x01


class RunKeys(NamedTuple):
    """What tells the ids of one run from those of another; all are derived from the run's id."""

    trace_offset: int  # 1 to 2^63
    span_offset: int  # 1 to 2^63
    high_key: int  # 64 bits


@lru_cache(maxsize=64)
def run_keys(run_id: str) -> RunKeys:
    """Return the keys of a run."""
    digest = hashlib.blake2b(run_id.encode(), digest_size=24, person=b"tidegate").digest()
    trace, span, high = (int.from_bytes(digest[at : at + 8], "big") for at in (0, 8, 16))
    return RunKeys((trace >> 1) + 1, (span >> 1) + 1, high)


def trace_id(run_id: str, seq: int) -> str:
    """Return the 32 hex digits that name request ``seq`` (below 2^63) of run ``run_id`` in every system."""
    keys = run_keys(run_id)
    low = _mix((keys.trace_offset + seq) * GAMMA & _WORD)
    return f"{_mix(low + keys.high_key & _WORD):016x}{low:016x}"


def span_id(run_id: str, seq: int) -> str:
    """Return the 16 hex digits of the harness's own client span of that request."""
    return f"{_mix((run_keys(run_id).span_offset + seq) * GAMMA & _WORD):016x}"


def traceparent(trace: str, span: str, *, sampled: bool) -> str:
    """Return the header's value."""
    return f"00-{trace}-{span}-{'01' if sampled else '00'}"


def parse_traceparent(value: str) -> tuple[str, str, bool] | None:
    """Return (trace id, span id, sampled), or None where the specification says to ignore the header."""
    match = _TRACEPARENT.match(value.strip())
    if match is None:
        return None
    version, trace, span, flags = match.groups()
    if version == "ff" or set(trace) == {"0"} or set(span) == {"0"}:
        return None
    if version == "00" and match.end() != len(value.strip()):
        return None
    return trace, span, bool(int(flags, 16) & _SAMPLED_FLAG)


def sampled(trace: str, share: float) -> bool:
    """Decide by the id alone, so that all processes decide alike; ``share`` (0 to 1) of all ids are taken."""
    return int(trace[16:], 16) < share * 2**64


def _mix(word: int) -> int:
    word = (word ^ word >> 30) * FIRST_FACTOR & _WORD
    word = (word ^ word >> 27) * SECOND_FACTOR & _WORD
    return word ^ word >> 31
