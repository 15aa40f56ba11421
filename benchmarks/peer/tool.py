"""What every load generator here is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

GAP_MS = 10.0
STREAMED_TOKENS = 64
NAN = float("nan")
PATH = "/v1/chat/completions"


class AbsentError(Exception):
    """The tool cannot be had or cannot do this work; the message says why, as a reader should see it."""


@dataclass(frozen=True)
class Load:
    """So many at a time for so long: streams of 64 tokens, or short whole answers."""

    url: str
    at_a_time: int
    seconds: float
    streamed: bool

    @property
    def tokens(self) -> int:
        return STREAMED_TOKENS if self.streamed else 1

    @property
    def body(self) -> dict[str, object]:
        messages = [{"role": "user", "content": "word " * 8}]
        return {"model": "m", "stream": self.streamed, "max_tokens": self.tokens, "messages": messages}


@dataclass(frozen=True)
class Reading:
    """What a tool itself reports of a load; nan is what it does not report."""

    requests_per_second: float
    failed: int = 0
    ttft_p50_ms: float = NAN
    ttft_p99_ms: float = NAN
    itl_p50_ms: float = NAN
    tokens_per_second: float = NAN
    note: str = ""


@dataclass(frozen=True)
class Launch:
    """A command, and what it needs in its environment."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


class Tool(Protocol):
    """A load generator. ``ladder`` is how many streams it is given at a time; empty: it does not stream.

    Its first rung is the modest load; ``modest_counts`` says that it may also be the highest.
    """

    name: str
    ladder: tuple[int, ...]
    modest_counts: bool
    short: bool  # it can send requests that are answered whole

    def get(self) -> str:
        """Install the tool where it is not, and return its version. Raises `AbsentError`."""

    def launch(self, load: Load, folder: Path) -> Launch:
        """Say how it is started; ``folder`` is empty and its own."""

    def read(self, load: Load, folder: Path, output: str) -> Reading:
        """Read what it reported."""
