"""What sends the calls to a target: HTTP or gRPC, by the target's protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple, Protocol

import gevent

from harness.load.call import Call
from harness.load.call_factory import CallFactory
from harness.load.client import Client
from harness.load.endpoint import resolve_endpoint
from harness.measure.reception import Reception
from harness.scenario.model import Target
from harness.workload import Ask

AnyCall = Call[Any, Any]


class Sender(Protocol):
    """A client: see ``Client``."""

    reconnects: int

    @property
    def reception(self) -> Reception:
        """How the times of arrival were learned."""

    @property
    def in_flight(self) -> int:
        """How many calls are open."""

    @property
    def open_calls(self) -> Collection[AnyCall]:
        """The calls that are open now."""

    def submit(self, call: AnyCall) -> None:
        """Send ``call`` now; it ends in exactly one ``call.on_done(call)``."""

    def cancel(self, call: AnyCall) -> None:
        """End ``call`` as CANCELLED, if it is still open."""

    def cancel_all(self) -> None:
        """End every open call as CANCELLED."""

    def tick(self, now_ns: int) -> None:
        """Let timeouts pass."""

    def close(self) -> None:
        """Cancel what is open and close every connection."""


class Calls(Protocol):
    """What makes a client's calls: see ``CallFactory``."""

    def make(
        self,
        ask: Ask,
        seq: int,
        stage: int,
        intended_ns: int,
        on_gap: Callable[[int], None],
        on_done: Callable[[AnyCall], None],
    ) -> AnyCall:
        """Return the call of arrival ``seq``, ready to be sent."""

    def trace(self, seq: int) -> tuple[str, bool]:
        """Return the trace id of arrival ``seq`` and whether it is sampled."""


class Transport(NamedTuple):
    """A client and what makes its calls."""

    client: Sender
    calls: Calls


def open_transport(
    target: Target,
    run_id: str,
    sample_share: float,
    *,
    max_idle: int = 10_000,
    keep_gaps: bool = False,
    keep_text: bool = False,
) -> Transport:
    """Return what sends to ``target`` from this process's hub.

    Raises UsageError and TargetUnreachableError. Call it from a greenlet: the resolver waits.
    """
    loop: Any = gevent.get_hub().loop
    if target.protocol == "http":
        endpoint = resolve_endpoint(target)
        calls = CallFactory(endpoint, run_id, sample_share, keep_gaps=keep_gaps, keep_text=keep_text)
        return Transport(Client(loop, endpoint, max_idle), calls)
    from harness.load.grpc_calls import GrpcCallFactory
    from harness.load.grpc_client import GrpcClient
    from harness.load.grpc_endpoint import resolve_grpc_endpoint

    client = GrpcClient(loop, resolve_grpc_endpoint(target))
    return Transport(client, GrpcCallFactory(run_id, sample_share, keep_gaps=keep_gaps))
