"""The plan: when every request is due, as one immutable value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Plan:
    """n planned arrivals, sorted by time.

    ``offsets_seconds``: float64[n], seconds after the run's start. ``stage``: uint8[n], index into the
    scenario's stages. ``seq``: int64[n], the arrival's number in the whole plan (its identity and the seed of
    its request). ``input_tokens`` and ``output_tokens``: int32[n] from a trace, or None when the workload
    decides.
    """

    offsets_seconds: NDArray[np.float64]
    stage: NDArray[np.uint8]
    seq: NDArray[np.int64]
    input_tokens: NDArray[np.int32] | None = None
    output_tokens: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.offsets_seconds)

    def slice_for(self, worker: int, workers: int) -> Plan:
        """Return the arrivals of worker ``worker`` (0-based) of ``workers``: those with index ≡ worker."""
        pick = slice(worker, None, workers)
        return Plan(
            self.offsets_seconds[pick],
            self.stage[pick],
            self.seq[pick],
            None if self.input_tokens is None else self.input_tokens[pick],
            None if self.output_tokens is None else self.output_tokens[pick],
        )
