"""From a planned arrival to a gRPC call: the workload's question as a GenerateRequest, with its trace id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.load.call import Call
from harness.load.grpc_channel import GrpcCall
from harness.wire.grpc import GrpcRequest, prefixed
from harness.wire.grpc_answer import GrpcAnswer
from harness.wire.hpack_block import literal
from harness.wire.vllm_grpc import encode_generate
from harness.workload import Ask
from observability import trace_ids


class GrpcCallFactory:
    """Makes calls within one run. The trace id is the request's id in the engine, too: its log lines join."""

    def __init__(self, run_id: str, sample_share: float, *, keep_gaps: bool = False) -> None:
        self._run_id = run_id
        self._sample_share = sample_share
        self._keep_gaps = keep_gaps
        self._run_field = literal(b"x-tidegate-run", run_id.encode())

    def make(
        self,
        ask: Ask,
        seq: int,
        stage: int,
        intended_ns: int,
        on_gap: Callable[[int], None],
        on_done: Callable[[Call[Any, Any]], None],
    ) -> GrpcCall:
        """Return the call of arrival ``seq``, ready to be sent."""
        trace, sampled = self.trace(seq)
        stream = bool(ask.body.get("stream", False))
        return Call(
            seq,
            stage,
            intended_ns,
            GrpcRequest(self._fields(trace, seq, sampled), prefixed(encode_generate(ask.body, trace))),
            GrpcAnswer(stream, on_gap, keep_gaps=self._keep_gaps),
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

    def _fields(self, trace: str, seq: int, sampled: bool) -> bytes:
        parent = trace_ids.traceparent(trace, trace_ids.span_id(self._run_id, seq), sampled=sampled)
        return literal(b"traceparent", parent.encode()) + self._run_field
