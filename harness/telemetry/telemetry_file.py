"""``telemetry.json``: what was sent of a run, and what became of it; each part of telemetry has its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.errors import UsageError

FILE_NAME = "telemetry.json"


def read_telemetry(run_dir: Path) -> dict[str, Any]:
    """Return the parts; none where nothing was written yet. Raise UsageError for a file that is no JSON."""
    file = run_dir / FILE_NAME
    try:
        told: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}: not JSON: {error}") from None
    return told


def update_telemetry(run_dir: Path, **parts: Any) -> None:
    """Write these parts, and leave the others as they are."""
    file = run_dir / FILE_NAME
    file.write_text(json.dumps(read_telemetry(run_dir) | parts, indent=2) + "\n")
