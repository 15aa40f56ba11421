"""How a worker learned when bytes came: by the kernel's stamps or its own clock, one token a read or more."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True)
class Reception:
    """Counts of reads. A token read held at least one token; a shared one several, which share its time."""

    reads: int = 0
    stamped_reads: int = 0
    token_reads: int = 0
    shared_token_reads: int = 0

    def __add__(self, other: Self) -> Reception:
        return Reception(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def stamped_share(self) -> float:
        """The share of reads whose time is the kernel's; nan without reads."""
        return self.stamped_reads / self.reads if self.reads else math.nan

    @property
    def shared_share(self) -> float:
        """The share of token reads that held several tokens; nan without token reads."""
        return self.shared_token_reads / self.token_reads if self.token_reads else math.nan
