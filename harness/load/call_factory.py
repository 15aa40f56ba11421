"""HTTP calls: the workload's question as bytes, with its trace id."""

from __future__ import annotations

import msgspec

from harness.load.calls import Calls, OnGap
from harness.load.endpoint import Endpoint
from harness.wire.exchange import Exchange
from harness.workload import Ask

_encode = msgspec.json.Encoder().encode


class CallFactory(Calls[bytes, Exchange]):
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
        super().__init__(run_id, sample_share)
        self._endpoint = endpoint
        self._keep_gaps = keep_gaps
        self._keep_text = keep_text

    def _request(self, ask: Ask, trace: str, traceparent: str) -> bytes:  # noqa: ARG002 - gRPC names it
        headers = f"traceparent: {traceparent}\r\nx-tidegate-run: {self._run_id}\r\n".encode()
        return self._endpoint.head.render(headers, _encode(ask.body))

    def _answer(self, stream: bool, on_gap: OnGap) -> Exchange:
        return Exchange(stream, on_gap, keep_gaps=self._keep_gaps, keep_text=self._keep_text)
