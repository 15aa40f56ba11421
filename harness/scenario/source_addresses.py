"""Addresses of this machine that connections go out from, as a scenario writes them.

One pair of addresses has as many connections to one port as there are local ports, some 28,000. More source
addresses lift that; on the loopback interface all of 127.0.0.0/8 are this machine's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

MOST_ADDRESSES = 65_536
ALLOWED = (
    "addresses of this machine: one (127.0.1.7), a network (127.0.1.0/24), a range "
    "(127.0.1.1-127.0.1.36), or "
    f"a list of these, {MOST_ADDRESSES} addresses in all"
)


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def read(given: object) -> tuple[str, ...]:
    """Return the entries as they are kept. Raises ValueError that says what is allowed."""
    entries = [given] if isinstance(given, str) else given
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
        raise ValueError(ALLOWED)
    kept = tuple(entry.strip() for entry in entries)
    if not 1 <= sum(_count(*_ends(entry)) for entry in kept) <= MOST_ADDRESSES:
        raise ValueError(ALLOWED)
    return kept


def expand(entries: Iterable[str]) -> tuple[str, ...]:
    """Return every address, in order and once; of a network, those that hosts may have."""
    return tuple(dict.fromkeys(address for entry in entries for address in _all(*_ends(entry))))


def _ends(entry: str) -> tuple[_Address, _Address]:
    """Return the first and the last address that an entry names."""
    first, dash, last = entry.partition("-")
    try:
        if dash:
            return ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        raise ValueError(ALLOWED) from None
    inner = int(network.num_addresses > 2)  # a network's own address and its broadcast are no host's
    return network[inner], network[-1 - inner]


def _count(first: _Address, last: _Address) -> int:
    if first.version != last.version or int(last) < int(first):
        raise ValueError(ALLOWED)
    return int(last) - int(first) + 1


def _all(first: _Address, last: _Address) -> Iterator[str]:
    kind = type(first)
    return (str(kind(int(first) + step)) for step in range(_count(first, last)))
