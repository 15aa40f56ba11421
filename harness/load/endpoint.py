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
from harness.scenario.source_addresses import expand
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
    """A resolved target. ``addresses`` are (family, socket address) in the resolver's order.

    Connections go out from ``source_addresses`` in turn (the same form, port 0; empty: the system chooses).
    Without ``reuse`` each request has a connection of its own.
    """

    host: str
    addresses: tuple[tuple[int, Any], ...]
    head: RequestHead
    tls: ssl.SSLContext | None
    timeouts: Timeouts
    source_addresses: tuple[tuple[int, Any], ...] = ()
    reuse: bool = True


def resolve_endpoint(target: Target) -> Endpoint:
    """Return the endpoint of ``target``.

    Raises UsageError for a missing URL or key and for source addresses of another kind than the target's,
    TargetUnreachableError when the name has no address. Call it from a greenlet: the resolver waits.
    """
    if target.url is None:
        raise UsageError("the target has no URL: give --target URL or write target.url in the scenario")
    parts = urlsplit(target.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = parts.path.rstrip("/").removesuffix("/v1") + _PATHS[target.api]
    secure = parts.scheme == "https"
    sources = _source_addresses(target)
    return Endpoint(
        host=host,
        addresses=_reachable_from(sources, resolve_addresses(host, port)),
        head=RequestHead("POST", path, parts.netloc.rpartition("@")[2], _headers(target)),
        tls=client_context(target.verify_tls, target.ca_file) if secure else None,
        timeouts=timeouts_of(target),
        source_addresses=sources,
        reuse=target.connection == "keep_alive",
    )


def _source_addresses(target: Target) -> tuple[tuple[int, Any], ...]:
    return tuple((_family(address), (address, 0)) for address in expand(target.source_addresses or ()))


def _family(address: str) -> int:
    return int(gsocket.AF_INET6 if ":" in address else gsocket.AF_INET)


def _reachable_from(
    sources: tuple[tuple[int, Any], ...], addresses: tuple[tuple[int, Any], ...]
) -> tuple[tuple[int, Any], ...]:
    """Leave out what no source address can reach: a name may have addresses of both families."""
    families = {family for family, _ in sources}
    if len(families) > 1:
        raise UsageError("target.source_addresses: IPv4 and IPv6 are mixed; allowed: one of them")
    reachable = tuple(address for address in addresses if not families or address[0] in families)
    if not reachable:
        raise UsageError("target.source_addresses: the target has no address of their kind (IPv4, IPv6)")
    return reachable


def resolve_addresses(host: str, port: int) -> tuple[tuple[int, Any], ...]:
    """Return (family, socket address) of a name. Raises TargetUnreachableError; waits."""
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
    if target.connection == "close":
        headers.append(("Connection", "close"))
    if target.api_key_env is not None:
        headers.append(("Authorization", f"Bearer {api_key(target.api_key_env)}"))
    return headers


def api_key(variable: str) -> str:
    """Return the key in an environment variable. Raises UsageError when it holds none that can be sent."""
    key = os.environ.get(variable, "")
    if not key or not key.isprintable():
        raise UsageError(f"the environment variable {variable} holds no usable API key")
    return key


def timeouts_of(target: Target) -> Timeouts:
    """Return the target's timeouts."""
    return Timeouts(
        connect_ns=int(target.connect_timeout * _NS),
        read_ns=int(target.read_timeout * _NS),
        request_ns=int(target.request_timeout * _NS),
    )
