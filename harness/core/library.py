"""Loading the compiled core."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import numpy as np

from harness.errors import TidegateError

_LIBRARY = Path(__file__).with_name("_core.so")

RECORD_DTYPE = np.dtype(
    [
        ("index", np.int64),
        ("intended_ns", np.int64),
        ("sent_ns", np.int64),
        ("connected_ns", np.int64),
        ("first_byte_ns", np.int64),
        ("first_token_ns", np.int64),
        ("last_token_ns", np.int64),
        ("end_ns", np.int64),
        ("max_gap_ns", np.int64),
        ("bytes_received", np.int64),
        ("prompt_tokens", np.int32),
        ("completion_tokens", np.int32),
        ("cached_tokens", np.int32),
        ("chunks", np.int32),
        ("gaps", np.uint32),
        ("http_status", np.int16),
        ("error", np.uint16),
        ("finish_reason", np.uint16),
        ("outcome", np.uint8),
        ("reconnects", np.uint8),
        ("stage", np.uint8),
        ("unused", np.uint8, 7),
    ],
    align=True,
)
"""``tg_record`` of src/record.h, field for field."""


class CoreMissingError(TidegateError):
    """The compiled core is not there, or is not the one that these Python files were written for."""


@cache
def load() -> ctypes.CDLL:
    """Return the core's library. Raises CoreMissingError."""
    try:
        library = ctypes.CDLL(str(_LIBRARY))
        record_bytes = library.tg_sizeof_record()
    except (OSError, AttributeError) as error:
        raise CoreMissingError(f"the compiled core cannot be loaded ({error}); {_HOW_TO_BUILD}") from None
    if record_bytes != RECORD_DTYPE.itemsize:
        raise CoreMissingError(f"{_LIBRARY.name} was compiled from other sources than these; {_HOW_TO_BUILD}")
    return library


_HOW_TO_BUILD = "build it with 'make setup' or 'pip install -e .'"
