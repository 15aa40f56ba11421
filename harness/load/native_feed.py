"""Arrivals for the compiled core: what each asks, as bytes, with its trace id, made ahead of time."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.arrivals.plan import Plan
from harness.core.engine import ARRIVAL_DTYPE, Body
from harness.load.calls import Asks
from harness.workload import Ask
from observability.trace_words import sampled_words, span_words, trace_words

_encode = msgspec.json.Encoder().encode


class NativeFeed:
    """A slice's arrivals, in order. ``input_tokens`` and ``max_tokens`` are what each asks for, once made."""

    def __init__(self, plan: Plan, asks: Asks, run_id: str, sample_share: float) -> None:
        self._plan = plan
        self._asks = asks
        self._run_id = run_id
        self._sample_share = sample_share
        self._last: tuple[Ask, Body] | None = None
        self.due_ns: NDArray[np.int64] = np.empty(0, np.int64)
        self.made = 0
        self.input_tokens = _lengths(plan.input_tokens, len(plan))
        self.max_tokens = _lengths(plan.output_tokens, len(plan))

    def begin(self, zero_ns: int) -> None:
        """Set the plan's zero on the monotonic clock."""
        self.due_ns = zero_ns + np.round(self._plan.offsets_seconds * 1e9).astype(np.int64)

    @property
    def left(self) -> int:
        """How many arrivals are still to be made."""
        return len(self._plan) - self.made

    def due_before(self, instant_ns: int, count: int = 1) -> bool:
        """Whether ``count`` more arrivals are left and all of them due before an instant."""
        return bool(self.left >= count and self.due_ns[self.made + count - 1] < instant_ns)

    def take(self, count: int, until_ns: int) -> tuple[NDArray[Any], list[Body]]:
        """Return up to ``count`` arrivals that are due by ``until_ns``, and the bodies to keep meanwhile."""
        window = self.due_ns[self.made : self.made + count]
        rows = slice(self.made, self.made + int(np.searchsorted(window, until_ns, side="right")))
        arrivals = self._columns(rows)
        asked = [self._ask(index) for index in range(rows.start, rows.stop)]
        arrivals["body"] = [body.address for body, _ in asked]
        arrivals["stream"] = [stream for _, stream in asked]
        self.made = rows.stop
        return arrivals, [body for body, _ in asked]

    def take_rest_unasked(self) -> tuple[NDArray[Any], Body]:
        """Return all that is left, with nothing to send: for a run that was stopped before they were due."""
        arrivals, nothing = self._columns(slice(self.made, len(self._plan))), Body(b"")
        arrivals["body"] = nothing.address
        self.made = len(self._plan)
        return arrivals, nothing

    def _columns(self, rows: slice) -> NDArray[Any]:
        seqs = self._plan.seq[rows]
        trace = trace_words(self._run_id, seqs)
        arrivals = np.zeros(len(seqs), ARRIVAL_DTYPE)
        arrivals["due_ns"] = self.due_ns[rows]
        arrivals["trace_high"], arrivals["trace_low"] = trace[:, 0], trace[:, 1]
        arrivals["span"] = span_words(self._run_id, seqs)
        arrivals["sampled"] = sampled_words(trace, self._sample_share)
        arrivals["stage"] = self._plan.stage[rows]
        return arrivals

    def _ask(self, index: int) -> tuple[Body, bool]:
        plan = self._plan
        lengths = _at(plan.input_tokens, index), _at(plan.output_tokens, index)
        ask = self._asks.ask(int(plan.seq[index]), int(plan.stage[index]), *lengths)
        self.input_tokens[index], self.max_tokens[index] = ask.input_tokens_requested, ask.max_tokens
        if self._last is None or self._last[0] is not ask:  # who always asks the same is encoded once
            self._last = ask, Body(_encode(ask.body))
        return self._last[1], bool(ask.body.get("stream", False))


def _lengths(given: NDArray[Any] | None, count: int) -> NDArray[np.int32]:
    return np.zeros(count, np.int32) if given is None else given.astype(np.int32)


def _at(values: NDArray[Any] | None, index: int) -> int | None:
    return None if values is None else int(values[index])
