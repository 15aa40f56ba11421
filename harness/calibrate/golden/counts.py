"""Counters of all processes in one piece of shared memory: whichever is asked answers for all of them."""

from __future__ import annotations

import mmap

_COLUMNS = ("finished", "tokens", "refused", "broken")
_ROW_BYTES = 64  # one cache line each, so that processes do not slow each other
_ROW_ITEMS = _ROW_BYTES // 8
FINISHED, TOKENS, REFUSED, BROKEN = range(len(_COLUMNS))


class SharedCounts:
    """A row of counters for each process; made before the fork, written by its owner only."""

    def __init__(self, processes: int) -> None:
        self._values = memoryview(mmap.mmap(-1, processes * _ROW_BYTES)).cast("q")
        self._at = 0

    def own(self, process: int) -> None:
        """Count into row ``process`` from now on."""
        self._at = process * _ROW_ITEMS

    def add(self, column: int, number: int = 1) -> None:
        """Count ``number`` more."""
        self._values[self._at + column] += number

    def total(self, column: int) -> int:
        """Return the sum over all processes."""
        return sum(self._values[column::_ROW_ITEMS])

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
        ).encode()
