"""Trace ids derived from (run, request), so that record, span and log line join without a collector.

The header is W3C Trace Context, version 00: ``00-<32 hex trace id>-<16 hex span id>-<2 hex flags>``.
"""

from __future__ import annotations

import hashlib
import re

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED_FLAG = 0x01


def trace_id(run_id: str, seq: int) -> str:
    """Return the 32 hex digits that name request ``seq`` of run ``run_id`` in every system."""
    return _digest(b"trace", run_id, seq, 16)


def span_id(run_id: str, seq: int) -> str:
    """Return the 16 hex digits of the harness's own client span of that request."""
    return _digest(b"span", run_id, seq, 8)


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


def _digest(purpose: bytes, run_id: str, seq: int, size: int) -> str:
    return hashlib.blake2b(f"{run_id}/{seq}".encode(), digest_size=size, person=purpose).hexdigest()
