"""What master and workers say to each other, over the sockets of Locust's own cluster.

```
worker                         master
Hello            →                       (only workers of `tidegate run`; Locust's own are known by their id)
                 ←  Prepare              run id, load, seed, which share of it
ClockAsk …       →  ClockAnswer …        several round trips, the best one counts
Prepared         →
                 ←  Go                   the start instant, on the master's clock
Counts, each second →                    counts, and the histograms since the last message
                 ←  Stop                 only when the run ends early
ClockAsk …       →  ClockAnswer …
Finished         →                       what there is to fetch, with sizes and checksums
Piece            ⇄  Pull                 a piece is sent when it is asked for: the master sets the pace
                 ←  Release              all is stored, the worker may forget it
```
Each message travels as one value (msgspec's MessagePack) inside Locust's message of the type
``tidegate.<Name>``; all but the clock's name the run, so that a late one of an earlier run is known as such.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec


class Sparse(msgspec.Struct, frozen=True, array_like=True):
    """The buckets of a ``LogHistogram`` that are not empty, and its largest value in nanoseconds."""

    buckets: list[int] = []
    counts: list[int] = []
    max_ns: int = 0


class Hello(msgspec.Struct, frozen=True):
    """A worker process is up. ``index``: its place, where the master started it; −1: any."""

    index: int
    pid: int


class Prepare(msgspec.Struct, frozen=True):
    """Get ready for slice ``worker`` of ``workers``.

    ``scenario`` is the resolved scenario as YAML: load and seed. ``run_dir`` is the run's folder on the
    master's machine, which holds a file named ``token``: a worker that sees the file shares the folder.
    """

    run_id: str
    scenario: str
    worker: int
    workers: int
    run_dir: str
    token: str
    record_gaps: bool = False
    metrics_port: int | None = None


class Prepared(msgspec.Struct, frozen=True):
    """Ready. ``planned`` counts the slice's arrivals; the offset is this worker's clock − the master's."""

    run_id: str
    worker: int
    planned: int
    offset_ns: int
    uncertainty_ns: int


class Failed(msgspec.Struct, frozen=True):
    """The slice could not be prepared. ``exit_code`` 2: a person's mistake."""

    run_id: str
    worker: int
    error: str
    exit_code: int


class ClockAsk(msgspec.Struct, frozen=True):
    """What time is it? ``asked_ns`` is the worker's wall clock."""

    asked_ns: int


class ClockAnswer(msgspec.Struct, frozen=True):
    """The master's wall clock when the question came and when the answer left."""

    asked_ns: int
    received_ns: int
    answered_ns: int


class Go(msgspec.Struct, frozen=True):
    """The run's zero, on the master's wall clock."""

    run_id: str
    start_wall_ns: int


class Stop(msgspec.Struct, frozen=True):
    """End early: what is open or not yet due is cancelled."""

    run_id: str


class Counts(msgspec.Struct, frozen=True):
    """A worker's counts since the start, and its histograms since its last message."""

    run_id: str
    worker: int
    offered: int
    sent: int
    completed: int
    in_flight: int
    failed: int
    rejected: int
    good: int
    ttft: Sparse
    gaps: Sparse


class Shard(msgspec.Struct, frozen=True):
    """A finished file of a worker. ``records`` counts its rows; None for a file that is not a table."""

    name: str
    size_bytes: int
    sha256: str
    records: int | None = None


class Finished(msgspec.Struct, frozen=True):
    """The slice is written. ``shared``: the files already lie in the master's folder."""

    run_id: str
    worker: int
    shared: bool
    shards: list[Shard]


class Pull(msgspec.Struct, frozen=True):
    """Send piece ``index`` of a shard; asking for it also says that the pieces before it have arrived."""

    run_id: str
    name: str
    index: int


class Piece(msgspec.Struct, frozen=True):
    """One piece of a shard."""

    run_id: str
    worker: int
    name: str
    index: int
    data: bytes


class Release(msgspec.Struct, frozen=True):
    """The run is over for this worker. ``stored``: its files are safe. ``more``: another run follows."""

    run_id: str
    stored: bool
    more: bool = False


M = TypeVar("M", bound=msgspec.Struct)
_encode = msgspec.msgpack.Encoder().encode


def send(runner: Any, message: msgspec.Struct, client_id: str | None = None) -> None:
    """Send through one of Locust's runners; ``client_id`` is the worker that a master means."""
    runner.send_message(type_of(type(message)), _encode(message), client_id)


def register(runner: Any, kind: type[M], take: Callable[[M, str], None]) -> None:
    """Call ``take(message, sender)`` for each message of this kind, in the greenlet that receives.

    It must not wait: whatever comes after would wait too, heartbeats included.
    """
    decode = msgspec.msgpack.Decoder(kind).decode

    def listener(msg: Any, **_: Any) -> None:
        take(decode(msg.data), msg.node_id)

    runner.register_message(type_of(kind), listener)


def type_of(kind: type[msgspec.Struct]) -> str:
    """Return the name under which Locust carries this kind of message."""
    return f"tidegate.{kind.__name__}"
