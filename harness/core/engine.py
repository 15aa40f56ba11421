"""The compiled load engine, as Python sees it: ``src/engine.h`` through ctypes."""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Sequence
from ctypes import (
    POINTER,
    byref,
    c_char_p,
    c_int,
    c_int8,
    c_int64,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness.core.histogram import Histogram, histogram_at
from harness.core.library import RECORD_DTYPE, CoreMissingError, load
from harness.measure.histogram import LogHistogram

ARRIVAL_DTYPE = np.dtype(
    [
        ("due_ns", np.int64),
        ("trace_high", np.uint64),
        ("trace_low", np.uint64),
        ("span", np.uint64),
        ("body", np.uintp),
        ("stage", np.uint8),
        ("sampled", np.uint8),
        ("stream", np.uint8),
        ("unused", np.uint8, 5),
    ]
)
"""``tg_arrival``: when to send what. ``body`` is a `Body`'s ``address``."""


class _Address(ctypes.Structure):
    _fields_ = [("bytes", c_uint8 * 16), ("scope", c_uint32), ("port", c_uint16), ("family", c_uint16)]


class _Settings(ctypes.Structure):
    _fields_ = [
        ("drain_ns", c_int64),
        ("connect_ns", c_int64),
        ("read_ns", c_int64),
        ("request_ns", c_int64),
        ("stages", c_uint32),
        ("max_in_flight", c_uint32),
        ("max_idle", c_uint32),
        ("reuse", c_uint8),
        ("keep_gaps", c_uint8),
        ("stamps", c_uint8),
        ("nice", c_int8),
    ]


class Counters(ctypes.Structure):
    """The engine's live counters; see ``tg_counters``. Reading one never waits."""

    offered: int
    in_flight: int
    reconnects: int
    reads: int
    stamped_reads: int
    token_reads: int
    shared_token_reads: int
    finished: int
    _fields_ = [
        (name, c_uint64)
        for name in (
            *("offered", "in_flight", "reconnects", "reads", "stamped_reads", "token_reads"),
            *("shared_token_reads", "finished"),
        )
    ]


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """What the engine needs to know. Times are nanoseconds; see ``tg_settings`` for each."""

    drain_ns: int
    connect_ns: int
    read_ns: int
    request_ns: int
    stages: int
    max_in_flight: int
    max_idle: int
    reuse: bool = True
    keep_gaps: bool = False
    stamps: bool = True
    nice: int = 0


class Body:
    """A request's body in the engine's memory, which lives as long as anybody needs it."""

    __slots__ = ("_library", "address")

    def __init__(self, data: bytes) -> None:
        self._library = _library()
        self.address: int | None = self._library.tg_body_new(data, len(data))
        if not self.address:
            raise MemoryError(f"no memory for a request's body of {len(data)} bytes")

    def __del__(self) -> None:
        if getattr(self, "address", None):
            self._library.tg_body_drop(self.address)


class CoreEngine:
    """Owns one engine and its thread. Nothing here waits, but ``join`` and ``close``.

    ``addresses`` are (family, socket address) pairs of the target, ``sources`` those of ours to connect from.
    ``head`` is what every request begins with, up to the headers of its own.
    """

    def __init__(
        self,
        settings: CoreSettings,
        addresses: Sequence[tuple[int, Any]],
        head: bytes,
        sources: Sequence[tuple[int, Any]] = (),
    ) -> None:
        self._library = _library()
        self._started = False
        self._words = [""]
        fields = {name: getattr(settings, name) for name in settings.__slots__}
        self._engine: int | None = self._library.tg_engine_new(
            byref(_Settings(**fields)),
            _addresses(addresses),
            len(addresses),
            _addresses(sources),
            len(sources),
            head,
            len(head),
        )
        if not self._engine:
            raise MemoryError("no memory for the load engine")
        self.counters: Counters = self._library.tg_engine_counters(self._engine).contents

    def feed(self, arrivals: NDArray[Any]) -> None:
        """Hand over arrivals (`ARRIVAL_DTYPE`), in the order of their due times."""
        assert arrivals.dtype == ARRIVAL_DTYPE
        assert arrivals.flags.c_contiguous
        if self._library.tg_engine_feed(self._engine, arrivals.ctypes.data, len(arrivals)):
            raise MemoryError(f"no memory for {len(arrivals)} arrivals")

    def end_feed(self) -> None:
        """Say that no more arrivals come."""
        self._library.tg_engine_end_feed(self._engine)

    def start(self) -> None:
        """Begin to send. Raises OSError when no thread can be had."""
        error = self._library.tg_engine_start(self._engine)
        if error:
            raise OSError(error, "the load engine's thread could not be started")
        self._started = True

    def stop(self) -> None:
        """End early: what is open or not yet due becomes CANCELLED."""
        self._library.tg_engine_stop(self._engine)

    def take(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the records (`RECORD_DTYPE`) that ended since the last call, and their gaps, flat."""
        records, gaps, gaps_count = c_void_p(), c_void_p(), c_uint64()
        count = self._library.tg_engine_take(self._engine, byref(records), byref(gaps), byref(gaps_count))
        return _copied(records, count, RECORD_DTYPE), _copied(gaps, gaps_count.value, np.dtype(np.int64))

    def words(self, upto: int) -> Sequence[str]:
        """Return the texts of the numbers 0 to ``upto`` that records use; the list only grows."""
        for number in range(len(self._words), upto + 1):
            text: bytes = self._library.tg_engine_word(self._engine, number)
            self._words.append(text.decode("utf-8", "replace"))
        return self._words

    def itl(self, stage: int) -> LogHistogram:
        """Return the gaps between tokens of a stage, as counted so far."""
        return histogram_at(self._library.tg_engine_itl(self._engine, stage))

    def ttft(self) -> LogHistogram:
        """Return first token − due of every first token that has come so far."""
        return histogram_at(self._library.tg_engine_ttft(self._engine))

    def lag(self) -> LogHistogram:
        """Return how late the engine's loop came round, as counted so far."""
        return histogram_at(self._library.tg_engine_lag(self._engine))

    def hold(self, seconds: float) -> None:
        """Hold the engine's thread up, as a busy machine would."""
        self._library.tg_engine_hold(self._engine, int(seconds * 1e9))

    def join(self) -> None:
        """Wait for the thread's end; it ends by itself when all is done."""
        if self._started:
            self._library.tg_engine_join(self._engine)
            self._started = False

    def close(self) -> None:
        """Stop, wait for the thread, and free its memory."""
        if self._engine:
            self.end_feed()
            self.stop()
            self.join()
            self.counters = Counters.from_buffer_copy(self.counters)  # the original goes with the engine
            self._library.tg_engine_free(self._engine)
            self._engine = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _addresses(given: Sequence[tuple[int, Any]]) -> Any:
    packed = [_address(family, address) for family, address in given]
    return (_Address * len(packed))(*packed)


def _address(family: int, address: Any) -> _Address:
    raw = socket.inet_pton(family, address[0].partition("%")[0])
    scope = address[3] if len(address) > 3 else 0
    return _Address((c_uint8 * 16)(*raw), scope, address[1], family)


def _copied(start: c_void_p, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    if not count:
        return np.empty(0, dtype)
    return np.frombuffer(ctypes.string_at(start, count * dtype.itemsize), dtype)


@cache
def _library() -> ctypes.CDLL:
    library = load()
    sizes = (c_uint32 * 6)()
    library.tg_engine_sizes(sizes)
    settings, address, counters, histogram = map(ctypes.sizeof, (_Settings, _Address, Counters, Histogram))
    ours = [settings, address, ARRIVAL_DTYPE.itemsize, RECORD_DTYPE.itemsize, counters, histogram]
    if list(sizes) != ours:
        raise CoreMissingError("the compiled core and its Python side differ: build it with 'make setup'")
    pointer = c_void_p
    for name, result, arguments in (
        ("tg_body_new", pointer, (c_char_p, c_uint32)),
        ("tg_body_drop", None, (pointer,)),
        ("tg_engine_new", pointer, (pointer, pointer, c_uint32, pointer, c_uint32, c_char_p, c_uint32)),
        ("tg_engine_free", None, (pointer,)),
        ("tg_engine_feed", c_int, (pointer, pointer, c_uint64)),
        ("tg_engine_end_feed", None, (pointer,)),
        ("tg_engine_start", c_int, (pointer,)),
        ("tg_engine_stop", None, (pointer,)),
        ("tg_engine_join", None, (pointer,)),
        ("tg_engine_take", c_uint64, (pointer, pointer, pointer, pointer)),
        ("tg_engine_counters", POINTER(Counters), (pointer,)),
        ("tg_engine_ttft", POINTER(Histogram), (pointer,)),
        ("tg_engine_itl", POINTER(Histogram), (pointer, c_uint32)),
        ("tg_engine_lag", POINTER(Histogram), (pointer,)),
        ("tg_engine_word", c_char_p, (pointer, c_uint16)),
        ("tg_engine_hold", None, (pointer, c_int64)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
