"""The token of Grafana's service account: told once, when it is made, and kept for its owner only."""

from __future__ import annotations

import os
from pathlib import Path

from stack.endpoints import FOLDER

TOKEN_FILE = "grafana.token"


def keep_token(folder: Path, token: str) -> Path:
    """Write the token where `read_token` finds it, and return the file (mode 600)."""
    file = folder / TOKEN_FILE
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(token)
    return file


def read_token(folder: Path = FOLDER) -> str | None:
    """Return the token; None where none was kept."""
    try:
        return (folder / TOKEN_FILE).read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
