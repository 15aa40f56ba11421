"""What sends the calls to a target: HTTP or gRPC, by the target's protocol."""

from __future__ import annotations

from typing import Any, NamedTuple

import gevent

from harness.load.call import Call
from harness.load.call_factory import CallFactory
from harness.load.calls import Calls
from harness.load.client import Client
from harness.load.endpoint import resolve_endpoint
from harness.load.sender import Sender
from harness.scenario.model import Target

AnyCall = Call[Any, Any]
AnySender = Sender[Any, Any]
AnyCalls = Calls[Any, Any]


class Transport(NamedTuple):
    """A client and what makes its calls."""

    client: AnySender
    calls: AnyCalls


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
    if target.protocol == "http":
        endpoint = resolve_endpoint(target)
        calls = CallFactory(endpoint, run_id, sample_share, keep_gaps=keep_gaps, keep_text=keep_text)
        return Transport(Client(gevent.get_hub().loop, endpoint, max_idle), calls)
    from harness.load.grpc_calls import GrpcCallFactory
    from harness.load.grpc_client import GrpcClient
    from harness.load.grpc_endpoint import resolve_grpc_endpoint

    client = GrpcClient(gevent.get_hub().loop, resolve_grpc_endpoint(target))
    return Transport(client, GrpcCallFactory(run_id, sample_share, keep_gaps=keep_gaps))
