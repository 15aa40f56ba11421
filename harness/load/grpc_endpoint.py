"""Where gRPC requests go: addresses, constant fields, TLS, how many streams a channel carries."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from harness.errors import UsageError
from harness.load.endpoint import Timeouts, api_key, resolve_addresses, timeouts_of
from harness.scenario.model import DEFAULT_STREAMS_PER_CHANNEL, Target
from harness.wire.grpc import constant_fields
from harness.wire.hpack_block import ConstantFields
from harness.wire.tls import client_context
from harness.wire.vllm_grpc import GENERATE


@dataclass(frozen=True, slots=True)
class GrpcEndpoint:
    """A resolved target. ``addresses`` are (family, socket address) in the resolver's order."""

    host: str
    addresses: tuple[tuple[int, Any], ...]
    fields: ConstantFields
    tls: ssl.SSLContext | None
    timeouts: Timeouts
    streams_per_channel: int


def resolve_grpc_endpoint(target: Target, method: str = GENERATE) -> GrpcEndpoint:
    """Return the endpoint of one method of ``target``. Raises UsageError and TargetUnreachableError.

    Call it from a greenlet: the resolver waits.
    """
    if target.url is None:
        raise UsageError("the target has no URL: give --target URL or write target.url in the scenario")
    parts = urlsplit(target.url)
    host, secure = parts.hostname or "", parts.scheme == "grpcs"
    metadata = []
    if target.api_key_env is not None:
        metadata.append(("authorization", f"Bearer {api_key(target.api_key_env)}"))
    return GrpcEndpoint(
        host=host,
        addresses=resolve_addresses(host, parts.port or 443),
        fields=constant_fields(parts.netloc, method, target.request_timeout, secure, metadata),
        tls=client_context(target.verify_tls, target.ca_file, alpn="h2") if secure else None,
        timeouts=timeouts_of(target),
        streams_per_channel=target.streams_per_channel or DEFAULT_STREAMS_PER_CHANNEL,
    )
