"""The golden target's HTTP server, as Python sees it: ``src/server.h`` through ctypes."""

from __future__ import annotations

import ctypes
from array import array
from ctypes import POINTER, c_int, c_int16, c_int32, c_int64, c_uint8, c_uint32, c_uint64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.calibrate.golden.log import TRACE_BYTES
from harness.core.histogram import Histogram
from harness.core.library import CoreMissingError

_LIBRARY = Path(__file__).with_name("_golden.so")
_HOW_TO_BUILD = "build it with 'make setup' or 'pip install -e .'"

ROW_DTYPE = np.dtype(
    [
        *((f"{name}_ns", np.int64) for name in ("arrived", "first_due", "first_write", "last_write")),
        ("tokens", np.int32),
        ("status", np.int32),
        ("trace", np.uint8, TRACE_BYTES),
    ]
)
"""``gt_row`` of src/truth.h, field for field."""


class Text(ctypes.Structure):
    """Bytes with a length: ``gt_text``."""

    _fields_ = [("bytes", c_void_p), ("length", c_uint64)]

    def set(self, data: bytes) -> None:
        """Point to ``data``, which the caller keeps."""
        self.bytes = ctypes.cast(ctypes.c_char_p(data), c_void_p).value
        self.length = len(data)

    def get(self) -> bytes:
        """Return a copy."""
        return ctypes.string_at(self.bytes or 0, self.length) if self.length else b""


class AskStruct(ctypes.Structure):
    """``gt_ask``."""

    _fields_ = [
        ("line", Text),
        ("max_tokens", c_int64),
        *((name, c_uint8) for name in ("completions", "stream", "usage")),
    ]


class AnswerStruct(ctypes.Structure):
    """``gt_answer``."""

    _fields_ = [
        *((name, Text) for name in ("first", "middle", "last")),
        *((name, c_void_p) for name in ("first_ns", "gaps_ns", "stalls")),
        *((name, c_uint32) for name in ("first_mask", "gaps_mask", "stalls_count")),
        *((name, c_int32) for name in ("writes", "tokens")),
        ("status", c_int16),
        *((name, c_uint8) for name in ("finishes", "resets", "stream")),
    ]


AnswerCall = ctypes.CFUNCTYPE(c_int64, POINTER(AskStruct), POINTER(AnswerStruct), POINTER(Text))
ForgetCall = ctypes.CFUNCTYPE(None, c_int64)
PageCall = ctypes.CFUNCTYPE(None, POINTER(Text), POINTER(Text))
RefuseCall = ctypes.CFUNCTYPE(None, c_int32, POINTER(Text), POINTER(Text))


class Callbacks(ctypes.Structure):
    """``gt_callbacks``."""

    _fields_ = [("answer", AnswerCall), ("forget", ForgetCall), ("page", PageCall), ("refuse", RefuseCall)]


class ServerSettings(ctypes.Structure):
    """``gt_settings``."""

    _fields_ = [("counts", c_void_p), ("spin_ns", c_int64), ("listener", c_int32), ("stop", c_int32)]


def address_of(values: array[int]) -> int:
    """Return where an array's items lie; they stay there while it does not grow."""
    return values.buffer_info()[0]


def rows_of(server: int) -> NDArray[Any]:
    """Return a server's rows (`ROW_DTYPE`): a view, to be read before the server runs again."""
    start = c_void_p()
    count = load().gt_server_rows(server, ctypes.byref(start))
    if not count:
        return np.empty(0, ROW_DTYPE)
    return np.frombuffer(
        (ctypes.c_char * (count * ROW_DTYPE.itemsize)).from_address(start.value or 0), ROW_DTYPE
    )


@cache
def load() -> ctypes.CDLL:
    """Return the library, its functions with their types. Raises CoreMissingError."""
    try:
        library = ctypes.CDLL(str(_LIBRARY))
        sizes = (c_uint32 * 5)()
        library.gt_server_sizes(sizes)
    except (OSError, AttributeError) as error:
        raise CoreMissingError(f"the golden target cannot be loaded ({error}); {_HOW_TO_BUILD}") from None
    ours = [ctypes.sizeof(made) for made in (ServerSettings, AskStruct, AnswerStruct)]
    if list(sizes) != [*ours, ROW_DTYPE.itemsize, ctypes.sizeof(Histogram)]:
        raise CoreMissingError(f"{_LIBRARY.name} was compiled from other sources than these; {_HOW_TO_BUILD}")
    for name, result, arguments in (
        ("gt_server_new", c_void_p, (POINTER(ServerSettings), POINTER(Callbacks))),
        ("gt_server_free", None, (c_void_p,)),
        ("gt_server_run", None, (c_void_p,)),
        ("gt_server_turn", c_int64, (c_void_p,)),
        ("gt_server_fd", c_int, (c_void_p,)),
        ("gt_server_rows", c_uint64, (c_void_p, c_void_p)),
        ("gt_server_gaps", POINTER(Histogram), (c_void_p,)),
        ("gt_server_pace", POINTER(Histogram), (c_void_p,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
