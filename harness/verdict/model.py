"""The verdict: values only, written to ``verdict.json``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from harness.measure import codec
from harness.scenario.objective import Objective

SCHEMA_VERSION = 1


class VerdictKind(StrEnum):
    """How a run ended. An objective's status is one of the first three."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"
    ABORTED = "ABORTED"

    @property
    def exit_code(self) -> int:
        """The command's exit code: 0, 1, 3, 4, 5 (2 is for usage errors)."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    VerdictKind.PASS: 0,
    VerdictKind.FAIL: 1,
    VerdictKind.INCONCLUSIVE: 3,
    VerdictKind.INVALID: 4,
    VerdictKind.ABORTED: 5,
}

# A valid run that fails is knowledge, and no second try undoes it: it stands above runs that told nothing.
_FROM_BEST_TO_WORST = (
    VerdictKind.PASS,
    VerdictKind.INCONCLUSIVE,
    VerdictKind.INVALID,
    VerdictKind.ABORTED,
    VerdictKind.FAIL,
)


@dataclass(frozen=True, slots=True)
class ObjectiveResult:
    """One objective's measurement in the objective's unit (seconds, share 0..1, per second).

    ``low`` and ``high`` are the two-sided 95 % interval; ``n`` is the sample count (requests; for ITL gaps;
    for time_to_recover and drain_time 1). nan: no data. +inf: failures reach the percentile, or it never
    happened.
    """

    objective: Objective
    measured: float
    low: float
    high: float
    n: int
    status: VerdictKind
    note: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The run's verdict. Each of ``reasons`` reads ``code: sentence`` (why INVALID, ABORTED, ...)."""

    kind: VerdictKind
    exit_code: int
    reasons: tuple[str, ...]
    results: tuple[ObjectiveResult, ...]
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Return the text of ``verdict.json``."""
        return codec.to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Verdict:
        """Read ``verdict.json``. Raise UsageError when it is not one, or of another schema version."""
        return codec.from_json(cls, text, SCHEMA_VERSION)


def worst(verdicts: Iterable[Verdict]) -> VerdictKind:
    """Return a suite's verdict: FAIL before ABORTED, INVALID, INCONCLUSIVE, PASS; INCONCLUSIVE if empty."""
    return max((v.kind for v in verdicts), key=_FROM_BEST_TO_WORST.index, default=VerdictKind.INCONCLUSIVE)
