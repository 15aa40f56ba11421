"""The workers of one run: processes started here, joined from elsewhere, or Locust's own; watched, ended."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.load.unpatched import runners

_LOG_TAIL_CHARACTERS = 2000
_END_SECONDS = 5.0
ABSENT_SECONDS = 5.0
"""Locust forgets a worker for a moment when its users stop and it becomes ready again; that is not a loss."""


@dataclass(slots=True)
class Member:
    """One worker. ``client_id`` is Locust's name for it; ``planned`` is known once it is prepared.

    ``finished``: its slice is over and its files are on their way. ``done``: they are here.
    """

    index: int
    log: Path | None = None
    process: Any = None
    client_id: str | None = None
    planned: int | None = None
    finished: bool = False
    done: bool = False
    lost: bool = False

    @property
    def active(self) -> bool:
        """Whether more is to be expected from this worker."""
        return not self.done and not self.lost

    @property
    def name(self) -> str:
        """How a sentence names it: ``worker 3 on host-b``."""
        host = (self.client_id or "").rpartition("_")[0]  # Locust's id is the host's name and a random part
        return f"worker {self.index} on {host}" if host else f"worker {self.index}"


@dataclass(slots=True)
class Fleet:
    """``members[k]`` drives slice k. Local processes come first, those that join come after."""

    members: list[Member] = field(default_factory=list)

    @classmethod
    def start(cls, local: int, joining: int, port: int, log_dir: Path) -> Fleet:
        """Start ``local`` processes that join the master at ``port``, and expect ``joining`` more."""
        fleet = cls()
        for index in range(local):
            log = log_dir / f"worker-{index}.log"
            command = [sys.executable, "-m", "harness.load.worker", "--master-port", str(port)]
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [*command, "--index", str(index)], stdout=output, stderr=output, stdin=subprocess.DEVNULL
                )
            fleet.members.append(Member(index, log, process))
        fleet.members += [Member(local + k) for k in range(joining)]
        return fleet

    @classmethod
    def of(cls, client_ids: Sequence[str]) -> Fleet:
        """Take workers that Locust already knows."""
        return cls([Member(index, client_id=client_id) for index, client_id in enumerate(client_ids)])

    def greet(self, index: int, client_id: str) -> None:
        """Take a worker's hello; index −1 is one that joins, which gets the first free place."""
        free = (m for m in self.members if m.client_id is None and m.process is None)
        member = self.members[index] if index >= 0 else next(free, None)
        if member is not None:
            member.client_id = client_id

    def notice_dead(self, missing_client_ids: Iterable[str]) -> None:
        """Mark as lost whoever has exited or is missing before it was done."""
        missing = set(missing_client_ids)
        for member in self.members:
            exited = member.process is not None and member.process.poll() is not None
            if member.active and (exited or member.client_id in missing):
                member.lost = True

    def end(self) -> None:
        """End our processes and remove logs that say nothing."""
        for member in self.members:
            if member.process is not None:
                _end_process(member.process)
            if member.log is not None and member.log.exists() and not member.log.stat().st_size:
                member.log.unlink()

    @property
    def active(self) -> list[Member]:
        """The workers from which more is to be expected."""
        return [m for m in self.members if m.active]

    @property
    def lost(self) -> list[Member]:
        """The workers that died before they were done."""
        return [m for m in self.members if m.lost]

    def last_words(self) -> str:
        """Return the end of the first lost worker's log."""
        for member in self.lost:
            if member.log is not None and member.log.exists():
                return member.log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]
        return ""


class Presence:
    """Which workers a runner of Locust's has lost sight of. Its local runner loses nobody."""

    def __init__(self, runner: Any) -> None:
        self._clients: Any = getattr(runner, "clients", None)
        self._absent_since: dict[str, float] = {}

    def missing(self, client_ids: Iterable[str]) -> list[str]:
        """Return those of the workers that send no heartbeat, or have been gone for some seconds."""
        if self._clients is None:
            return []
        now = time.monotonic()
        return [client_id for client_id in client_ids if self._is_missing(client_id, now)]

    def _is_missing(self, client_id: str, now: float) -> bool:
        if client_id in self._clients:
            self._absent_since.pop(client_id, None)
            return bool(self._clients[client_id].state == runners.STATE_MISSING)
        return now - self._absent_since.setdefault(client_id, now) > ABSENT_SECONDS


def _end_process(process: Any) -> None:
    try:
        process.wait(timeout=_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
