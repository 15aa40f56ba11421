"""gRPC calls: the workload's question as a GenerateRequest, with its trace id."""

from __future__ import annotations

from harness.load.calls import Calls, OnGap
from harness.wire.grpc import GrpcRequest, prefixed
from harness.wire.grpc_answer import GrpcAnswer
from harness.wire.hpack_block import literal
from harness.wire.vllm_grpc import encode_generate
from harness.workload import Ask


class GrpcCallFactory(Calls[GrpcRequest, GrpcAnswer]):
    """Makes calls within one run. The trace id is the request's id in the engine, too: its log lines join."""

    def __init__(self, run_id: str, sample_share: float, *, keep_gaps: bool = False) -> None:
        super().__init__(run_id, sample_share)
        self._keep_gaps = keep_gaps
        self._run_field = literal(b"x-tidegate-run", run_id.encode())

    def _request(self, ask: Ask, trace: str, traceparent: str) -> GrpcRequest:
        fields = literal(b"traceparent", traceparent.encode()) + self._run_field
        return GrpcRequest(fields, prefixed(encode_generate(ask.body, trace)))

    def _answer(self, stream: bool, on_gap: OnGap) -> GrpcAnswer:
        return GrpcAnswer(stream, on_gap, keep_gaps=self._keep_gaps)
