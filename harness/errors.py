"""The harness's own errors, each with the exit code that the command line answers with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class TidegateError(Exception):
    """A condition that ends the command with a message and an exit code, never with a traceback."""

    exit_code = 5


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a file that a person wrote.

    ``line`` counts from 1 (None: the file as a whole); ``key`` is the dotted path (``stages[2].rate``);
    ``given`` is what stands there and ``allowed`` says what may stand there.
    """

    file: Path
    line: int | None
    key: str
    given: str
    allowed: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else f"{self.file}"
        return f"{where}: {self.key}: given {self.given}; allowed: {self.allowed}"


class UsageError(TidegateError):
    """Wrong arguments or files, found before any load is sent. Carries every mistake, not the first only."""

    exit_code = 2

    def __init__(self, message: str, mistakes: tuple[Mistake, ...] = ()) -> None:
        super().__init__("\n".join([message, *map(str, mistakes)]) if mistakes else message)
        self.mistakes = mistakes


class TargetUnreachableError(TidegateError):
    """The target did not answer before the run began: the run is ABORTED."""

    exit_code = 5
