"""The worker processes of one run: started here or joined from elsewhere, watched, and ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LOG_TAIL_CHARACTERS = 2000
_END_SECONDS = 5.0


@dataclass(slots=True)
class Member:
    """One worker. ``client_id`` is Locust's name for it, from its hello on; ``planned`` once prepared."""

    index: int
    log: Path | None = None
    process: Any = None
    client_id: str | None = None
    planned: int | None = None
    done: bool = False
    lost: bool = False

    @property
    def active(self) -> bool:
        """Whether more is to be expected from this worker."""
        return not self.done and not self.lost


@dataclass(slots=True)
class Fleet:
    """``members[k]`` drives slice k. Local workers come first, remote ones take the places after them."""

    members: list[Member] = field(default_factory=list)

    @classmethod
    def start(cls, local: int, remote: int, port: int, log_dir: Path) -> Fleet:
        """Start ``local`` processes that join the master at ``port``, and expect ``remote`` more."""
        fleet = cls()
        for index in range(local):
            log = log_dir / f"worker-{index}.log"
            command = [sys.executable, "-m", "harness.load.worker", "--master-port", str(port)]
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [*command, "--index", str(index)], stdout=output, stderr=output, stdin=subprocess.DEVNULL
                )
            fleet.members.append(Member(index, log, process))
        fleet.members += [Member(local + k) for k in range(remote)]
        return fleet

    def greet(self, index: int, client_id: str) -> None:
        """Take a worker's hello; index −1 is a remote worker, which gets the first free place."""
        free = (m for m in self.members if m.client_id is None and m.process is None)
        member = self.members[index] if index >= 0 else next(free, None)
        if member is not None:
            member.client_id = client_id

    def notice_dead(self, missing_client_ids: Iterable[str]) -> None:
        """Mark as lost whoever has exited or is missing before its done."""
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


def _end_process(process: Any) -> None:
    try:
        process.wait(timeout=_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
