"""How each started component is."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import Literal

from stack.native.launch import is_healthy
from stack.native.state import Running, State


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """One row of the status table; ``resident_bytes`` is of the whole session that the component leads."""

    name: str
    version: str
    url: str
    pid: int
    resident_bytes: int
    state: Literal["healthy", "unhealthy", "ended"]


def status_of(state: State) -> list[ComponentStatus]:
    """Return one status for each started component, in the order in which they started."""
    return [_status(running) for running in state.components]


def _status(running: Running) -> ComponentStatus:
    address = urllib.parse.urlsplit(running.health)
    alive = running.process.is_alive()
    return ComponentStatus(
        name=running.name,
        version=running.version,
        url=f"{address.scheme}://{address.netloc}",
        pid=running.pid,
        resident_bytes=running.process.resident_bytes(),
        state="ended" if not alive else "healthy" if is_healthy(running.health) else "unhealthy",
    )
