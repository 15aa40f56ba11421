"""Counters of all processes in one piece of shared memory: whichever is asked answers for all of them."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

_ROW_BYTES = 64  # one cache line each, so that processes do not slow each other
_ROW_ITEMS = _ROW_BYTES // 8
FINISHED, TOKENS, REFUSED, BROKEN, RUNNING = range(5)  # as src/server.h has them
_PID = 5


class SharedCounts:
    """A row of counters for each process; made before the fork, written by its owner only."""

    def __init__(self, processes: int) -> None:
        self._map = mmap.mmap(-1, processes * _ROW_BYTES)
        self._values = memoryview(self._map).cast("q")
        self._at = 0

    def own(self, process: int) -> None:
        """Count into row ``process`` from now on."""
        self._at = process * _ROW_ITEMS
        self._values[self._at + _PID] = os.getpid()

    @property
    def address(self) -> int:
        """Where the own row lies, for those who count without Python."""
        return ctypes.addressof(ctypes.c_int64.from_buffer(self._map, self._at * 8))

    def add(self, column: int, number: int = 1) -> None:
        """Count ``number`` more."""
        self._values[self._at + column] += number

    def total(self, column: int) -> int:
        """Return the sum over all processes."""
        return sum(self._values[column::_ROW_ITEMS])

    def resident_bytes(self) -> int:
        """Return the sum of the processes' resident memory; what they share counts in each."""
        return sum(_resident_bytes(pid) for pid in self._values[_PID::_ROW_ITEMS] if pid)

    def page(self) -> bytes:
        """Return the counts as Prometheus text, under the names that the reference target uses."""
        requests = "tidegate_target_requests_total"
        return (
            f"# TYPE {requests} counter\n"
            f'{requests}{{status="200",outcome="ok"}} {self.total(FINISHED)}\n'
            f'{requests}{{status="200",outcome="broken"}} {self.total(BROKEN)}\n'
            f'{requests}{{status="other",outcome="refused"}} {self.total(REFUSED)}\n'
            f"# TYPE tidegate_target_output_tokens_total counter\n"
            f"tidegate_target_output_tokens_total {self.total(TOKENS)}\n"
            f"# TYPE tidegate_target_running gauge\n"
            f"tidegate_target_running {self.total(RUNNING)}\n"
            f"# TYPE process_resident_memory_bytes gauge\n"
            f"process_resident_memory_bytes {self.resident_bytes()}\n"
        ).encode()


def _resident_bytes(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:  # it has ended
        return 0
    return int(pages) * mmap.PAGESIZE
