"""Where requests go: address, path, headers, TLS. Resolved once, before any load."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import gevent.socket as gsocket

from harness.errors import TargetUnreachableError, UsageError
from harness.scenario.model import Target
from harness.wire.http import RequestHead
from harness.wire.tls import client_context

_PATHS = {"chat": "/v1/chat/completions", "completions": "/v1/completions"}
_NS = 1e9


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Nanoseconds: ``connect`` for all addresses together, ``read`` between bytes, ``request`` in all."""

    connect_ns: int
    read_ns: int
    request_ns: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A resolved target. ``addresses`` are (family, socket address) in the resolver's order."""

    host: str
    addresses: tuple[tuple[int, Any], ...]
    head: RequestHead
    tls: ssl.SSLContext | None
    timeouts: Timeouts


def resolve_endpoint(target: Target) -> Endpoint:
    """Return the endpoint of ``target``.

    Raises UsageError for a missing URL or key, TargetUnreachableError when the name has no address. Call it
    from a greenlet: the resolver waits.
    """
    if target.url is None:
        raise UsageError("the target has no URL: give --target URL or write target.url in the scenario")
    parts = urlsplit(target.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = parts.path.rstrip("/").removesuffix("/v1") + _PATHS[target.api]
    secure = parts.scheme == "https"
    return Endpoint(
        host=host,
        addresses=_addresses(host, port),
        head=RequestHead("POST", path, parts.netloc.rpartition("@")[2], _headers(target)),
        tls=client_context(target.verify_tls, target.ca_file) if secure else None,
        timeouts=_timeouts(target),
    )


def _addresses(host: str, port: int) -> tuple[tuple[int, Any], ...]:
    try:
        found = gsocket.getaddrinfo(host, port, type=gsocket.SOCK_STREAM)
    except OSError as error:
        raise TargetUnreachableError(f"no address for {host!r}: {error}") from error
    return tuple((int(family), address) for family, _, _, _, address in found)


def _headers(target: Target) -> list[tuple[str, str]]:
    headers = [
        ("User-Agent", "tidegate"),
        ("Content-Type", "application/json"),
        ("Accept", "text/event-stream" if target.stream else "application/json"),
    ]
    if target.api_key_env is not None:
        headers.append(("Authorization", f"Bearer {_api_key(target.api_key_env)}"))
    return headers


def _api_key(variable: str) -> str:
    key = os.environ.get(variable, "")
    if not key or not key.isprintable():
        raise UsageError(f"the environment variable {variable} holds no usable API key")
    return key


def _timeouts(target: Target) -> Timeouts:
    return Timeouts(
        connect_ns=int(target.connect_timeout * _NS),
        read_ns=int(target.read_timeout * _NS),
        request_ns=int(target.request_timeout * _NS),
    )
