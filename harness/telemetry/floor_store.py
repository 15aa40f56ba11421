"""Where a machine's floor is kept between runs: one file for each machine, in the user's cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.measure.codec import to_plain
from harness.measure.floor import Floor, Machine
from harness.telemetry.environment import read_environment


def machine_of(environment: Mapping[str, Any]) -> Machine:
    """Return what of the environment a floor holds for."""
    return Machine(
        cpu=str(environment["cpu"]),
        cores=int(environment["cores"]),
        system=str(environment["system"]),
        python=str(environment["python"]),
        tidegate=str(environment["packages"]["tidegate"]),
    )


def floor_file(machine: Machine) -> Path:
    """Return ``floor-<fingerprint>.json`` under ``$TIDEGATE_CACHE``, else ``~/.cache/tidegate``.

    The fingerprint is of processor, cores, system and Python: another of these has another floor.
    """
    told = f"{machine.cpu}|{machine.cores}|{machine.system}|{machine.python}"
    fingerprint = hashlib.blake2b(told.encode(), digest_size=6).hexdigest()
    root = Path(os.environ.get("TIDEGATE_CACHE") or Path.home() / ".cache" / "tidegate")
    return root / f"floor-{fingerprint}.json"


def write_floor(floor: Floor) -> Path:
    """Keep the floor for the machine's next runs, and return its file."""
    file = floor_file(floor.machine)
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".part")
    unfinished.write_text(floor.to_json())
    unfinished.replace(file)
    return file


def read_floor(environment: Mapping[str, Any] | None = None) -> Floor | None:
    """Return this machine's floor; None where it was never calibrated, or by a version we cannot read."""
    file = floor_file(machine_of(environment or read_environment()))
    try:
        return Floor.from_json(file.read_text())
    except (FileNotFoundError, UsageError):
        return None


def environment_with_floor() -> dict[str, Any]:
    """Return the environment with its ``calibration_floor``, None where there is none."""
    environment = read_environment()
    return environment | {"calibration_floor": to_plain(read_floor(environment))}
