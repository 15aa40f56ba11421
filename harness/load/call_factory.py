"""From a planned arrival to a call: the workload's question, as bytes, with its trace id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from harness.load.call import Call
from harness.load.endpoint import Endpoint
from harness.wire.exchange import Exchange
from harness.workload import Ask
from observability import trace_ids

_encode = msgspec.json.Encoder().encode


class Asks(Protocol):
    """What a workload does for us."""

    def ask(self, seq: int, stage: int, input_tokens: int | None, output_tokens: int | None) -> Ask:
        """Return the question of arrival ``seq``."""


class CallFactory:
    """Makes calls to one endpoint within one run."""

    def __init__(
        self,
        endpoint: Endpoint,
        run_id: str,
        sample_share: float,
        *,
        keep_gaps: bool = False,
        keep_text: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._run_id = run_id
        self._sample_share = sample_share
        self._keep_gaps = keep_gaps
        self._keep_text = keep_text

    def make(
        self,
        ask: Ask,
        seq: int,
        stage: int,
        intended_ns: int,
        on_gap: Callable[[int], None],
        on_done: Callable[[Call], None],
    ) -> Call:
        """Return the call of arrival ``seq``, ready to be sent."""
        trace = trace_ids.trace_id(self._run_id, seq)
        sampled = trace_ids.sampled(trace, self._sample_share)
        stream = bool(ask.body.get("stream", False))
        return Call(
            seq,
            stage,
            intended_ns,
            self._endpoint.head.render(self._headers(trace, seq, sampled), _encode(ask.body)),
            Exchange(stream, on_gap, keep_gaps=self._keep_gaps, keep_text=self._keep_text),
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

    def _headers(self, trace: str, seq: int, sampled: bool) -> bytes:
        parent = trace_ids.traceparent(trace, trace_ids.span_id(self._run_id, seq), sampled=sampled)
        return f"traceparent: {parent}\r\nx-tidegate-run: {self._run_id}\r\n".encode()
