"""The core's exchange over given reads, with the attributes of the reference's."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from harness.core.library import RECORD_DTYPE, load
from harness.measure.record import Outcome, RequestRecord, TokenSource

_WORD_BYTES = 321
_NONE = -1
_OPEN = 255
_OUTCOMES = tuple(Outcome)


@dataclass(frozen=True)
class CoreExchange:
    """What became of an answer; the names are those of harness.wire.exchange.Exchange."""

    outcome: Outcome | None
    error_type: str | None
    status: int | None
    first_byte_ns: int | None
    first_token_ns: int | None
    last_token_ns: int | None
    bytes_received: int
    chunks: int
    max_gap_ns: int
    gaps_ns: list[int]
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    reusable: bool

    def fill(self, record: RequestRecord, zero_ns: int) -> None:
        """Write what the answer was into ``record``, as the reference does."""
        assert zero_ns == 0
        for name in ("first_byte_ns", "first_token_ns", "last_token_ns", "error_type", "finish_reason"):
            setattr(record, name, getattr(self, name))
        for name in ("chunks", "max_gap_ns", "gaps_ns", "bytes_received", "cached_tokens"):
            setattr(record, name, getattr(self, name))
        record.http_status = self.status
        record.input_tokens = self.prompt_tokens or 0
        if self.completion_tokens is not None:
            record.output_tokens, record.token_source = self.completion_tokens, TokenSource.USAGE
        elif self.chunks:
            record.output_tokens, record.token_source = self.chunks, TokenSource.CHUNKS


def replay(
    pieces: list[bytes], stream: bool = True, eof: bool = True, library: ctypes.CDLL | None = None
) -> CoreExchange:
    """Feed the pieces 1 ms apart, from 1 ms on."""
    data = b"".join(pieces)
    lengths = np.array([len(piece) for piece in pieces], np.uint32)
    instants = np.arange(1, len(pieces) + 2, dtype=np.int64) * 1_000_000
    gaps = np.zeros(len(data) + 1, np.int64)
    record = np.zeros(1, RECORD_DTYPE)
    error, finish_reason = (ctypes.create_string_buffer(_WORD_BYTES) for _ in range(2))
    reusable = ctypes.c_int(-1)
    failed = (library or load()).tg_replay(
        stream,
        True,
        data,
        ctypes.c_void_p(lengths.ctypes.data),
        ctypes.c_void_p(instants.ctypes.data),
        len(pieces),
        eof,
        ctypes.c_void_p(record.ctypes.data),
        ctypes.c_void_p(gaps.ctypes.data),
        len(gaps),
        error,
        finish_reason,
        ctypes.byref(reusable),
    )
    assert not failed
    row = dict(zip(RECORD_DTYPE.names or (), record[0].tolist(), strict=True))
    return CoreExchange(
        outcome=None if row["outcome"] == _OPEN else _OUTCOMES[row["outcome"]],
        error_type=error.value.decode() or None,
        status=_known(row["http_status"]),
        first_byte_ns=_known(row["first_byte_ns"]),
        first_token_ns=_known(row["first_token_ns"]),
        last_token_ns=_known(row["last_token_ns"]),
        bytes_received=row["bytes_received"],
        chunks=row["chunks"],
        max_gap_ns=row["max_gap_ns"],
        gaps_ns=gaps[: row["gaps"]].tolist(),
        finish_reason=finish_reason.value.decode() or None,
        prompt_tokens=_known(row["prompt_tokens"]),
        completion_tokens=_known(row["completion_tokens"]),
        cached_tokens=_known(row["cached_tokens"]),
        reusable=bool(reusable.value),
    )


def _known(number: int) -> int | None:
    return None if number == _NONE else number
