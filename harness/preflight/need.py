"""What a scenario takes at its peak, estimated before anything is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.arrivals import build_plan
from harness.scenario.model import DEFAULT_STREAMS_PER_CHANNEL, Scenario
from harness.scenario.source_addresses import expand

_BURST_SECONDS = 0.1
_ROUNDING_SECONDS = 1e-9


@dataclass(frozen=True, slots=True)
class Need:
    """A scenario's peak. ``basis`` says where ``streams`` comes from.

    ``connections`` carry the streams (gRPC: many on each). ``per_second`` and ``in_a_burst`` (100 ms) are the
    most arrivals within such a time, ``closing`` those whose closed connections still keep their ports.
    ``threaded``: a worker's threads hold the connections, each with a table of descriptors of its own, as the
    compiled core does for plain HTTP.
    """

    streams: int
    basis: str
    connections: int
    requests: int
    per_second: int
    in_a_burst: int
    closing: int
    sources: int
    threaded: bool = True


def need_of(scenario: Scenario, time_wait_seconds: float = 60.0) -> Need:
    """Return the need of a scenario, whose rates are absolute.

    More streams than ``max_in_flight`` are never open. Nor are more than the arrivals within one request
    timeout, since every request has ended by then: the smaller of both is the bound.
    """
    offsets = build_plan(scenario).offsets_seconds
    target = scenario.target
    within_timeout = most_within(offsets, target.request_timeout)
    streams, basis = scenario.max_in_flight, "max_in_flight"
    if within_timeout < streams:
        streams = within_timeout
        basis = f"the most arrivals within request_timeout, {target.request_timeout:g} s"
    per_channel = target.streams_per_channel or DEFAULT_STREAMS_PER_CHANNEL
    closes = target.connection == "close"
    return Need(
        streams=streams,
        basis=basis,
        connections=math.ceil(streams / per_channel) if target.protocol == "vllm-grpc" else streams,
        requests=len(offsets),
        per_second=most_within(offsets, 1.0),
        in_a_burst=most_within(offsets, _BURST_SECONDS),
        closing=most_within(offsets, time_wait_seconds) if closes else 0,
        sources=len(expand(target.source_addresses or ())),
        threaded=target.protocol == "http" and not (target.url or "").startswith("https"),
    )


def most_within(offsets_seconds: NDArray[np.float64], window_seconds: float) -> int:
    """Return the most arrivals in any window of this length; the offsets are sorted."""
    if not len(offsets_seconds):
        return 0
    ends = np.searchsorted(offsets_seconds, offsets_seconds + (window_seconds - _ROUNDING_SECONDS))
    return int((ends - np.arange(len(offsets_seconds))).max())
