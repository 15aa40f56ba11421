"""What runs, written down: ``.tidegate/stack.json``, so that a later command finds and ends just that."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stack.endpoints import STATE_FILE, Endpoints
from stack.native.process import Process

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Running:
    """One started component; ``start_ticks`` tells its process from a later one of the same pid."""

    name: str
    version: str
    pid: int
    start_ticks: int
    health: str
    log: str
    stop_seconds: float

    @property
    def process(self) -> Process:
        """Return the process that was started."""
        return Process(self.pid, self.start_ticks)


@dataclass(frozen=True, slots=True)
class State:
    """The components that were started, their ports and endpoints."""

    components: tuple[Running, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    endpoints: Endpoints = field(default_factory=Endpoints)

    def alive(self) -> tuple[Running, ...]:
        """Return those whose process still runs."""
        return tuple(running for running in self.components if running.process.is_alive())


def read_state(folder: Path) -> State:
    """Return what was started there; nothing where the file is missing or from before the last boot."""
    try:
        told = json.loads((folder / STATE_FILE).read_text())
    except FileNotFoundError:
        return State()
    if told["boot_id"] != _boot_id():
        return State()
    components = tuple(Running(**running) for running in told["components"])
    return State(components, told["ports"], Endpoints(**told["endpoints"]))


def write_state(folder: Path, state: State) -> None:
    """Replace the file at once; an endpoint may carry a password, so its owner alone can read it."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{STATE_FILE}.part"
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps({"boot_id": _boot_id(), **asdict(state)}, indent=2) + "\n")
    unfinished.replace(folder / STATE_FILE)


def forget_state(folder: Path) -> None:
    """Remove the file: nothing runs there."""
    (folder / STATE_FILE).unlink(missing_ok=True)


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Let one command at a time start or stop components there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip()
