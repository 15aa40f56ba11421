"""From a planned arrival to a call: what every protocol's factory does alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from harness.load.call import Answer, Call
from harness.workload import Ask
from observability import trace_ids

RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT", bound=Answer)
OnGap = Callable[[int], None]


class Asks(Protocol):
    """What a workload does for us."""

    def ask(self, seq: int, stage: int, input_tokens: int | None, output_tokens: int | None) -> Ask:
        """Return the question of arrival ``seq``."""


class Calls(ABC, Generic[RequestT, AnswerT]):
    """Makes one run's calls. A protocol says what its requests and answers are."""

    def __init__(self, run_id: str, sample_share: float) -> None:
        self._run_id = run_id
        self._sample_share = sample_share

    def make(
        self,
        ask: Ask,
        seq: int,
        stage: int,
        intended_ns: int,
        on_gap: OnGap,
        on_done: Callable[[Call[Any, Any]], None],
    ) -> Call[RequestT, AnswerT]:
        """Return the call of arrival ``seq``, ready to be sent."""
        trace, sampled = self.trace(seq)
        span = trace_ids.span_id(self._run_id, seq)
        parent = trace_ids.traceparent(trace, span, sampled=sampled)
        return Call(
            seq,
            stage,
            intended_ns,
            self._request(ask, trace, parent),
            self._answer(bool(ask.body.get("stream", False)), on_gap),
            on_done,
            trace_id=trace,
            sampled=sampled,
            input_tokens=ask.input_tokens_requested,
            max_tokens=ask.max_tokens,
        )

    def trace(self, seq: int) -> tuple[str, bool]:
        """Return the trace id of arrival ``seq`` and whether it is sampled."""
        trace = trace_ids.trace_id(self._run_id, seq)
        return trace, trace_ids.sampled(trace, self._sample_share)

    @abstractmethod
    def _request(self, ask: Ask, trace: str, traceparent: str) -> RequestT:
        """Return what is sent."""

    @abstractmethod
    def _answer(self, stream: bool, on_gap: OnGap) -> AnswerT:
        """Return what takes the answer; ``on_gap`` is told of the gaps between its tokens."""
