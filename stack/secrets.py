"""The compose stack's passwords: generated once, readable by their owner only, never committed."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

SECRETS_FILE = "secrets.env"
NAMES = (
    "ELASTIC_PASSWORD",  # the superuser: only the setup service uses it
    "KIBANA_SYSTEM_PASSWORD",
    "KIBANA_ENCRYPTION_KEY",
    "ELASTIC_WRITER_PASSWORD",
    "ELASTIC_READER_PASSWORD",
    "ELASTIC_TRACES_PASSWORD",
    "GRAFANA_ADMIN_PASSWORD",
)
_BYTES = 24  # 32 letters, as Kibana's encryption key must have at least


def write_secrets(folder: Path) -> Path:
    """Make ``secrets.env`` in the folder, or add what a later version needs; what is there stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / SECRETS_FILE
    values = read_secrets(folder)
    lines = [f"{name}={values.get(name) or secrets.token_urlsafe(_BYTES)}\n" for name in NAMES]
    unfinished = folder / f"{SECRETS_FILE}.part"
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.writelines(lines)
    unfinished.replace(file)
    return file


def read_secrets(folder: Path) -> dict[str, str]:
    """Return the passwords by name; none where there is no such file."""
    try:
        lines = (folder / SECRETS_FILE).read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {name: value for name, _, value in (line.partition("=") for line in lines) if value}
