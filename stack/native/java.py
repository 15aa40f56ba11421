"""Find a Java that is new enough."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from stack.errors import NotObtainableError

_INSTALLED = Path("/usr/lib/jvm")


def find_java(minimum: int) -> Path:
    """Return the home of a Java of at least that feature version (21, 25, …).

    Told ones come first (``ES_JAVA_HOME``, ``JAVA_HOME``), then the newest installed one, then PATH's.
    """
    seen: dict[Path, int] = {}
    for home in _homes():
        version = feature_version(home)
        if version is not None and version >= minimum:
            return home
        if version is not None:
            seen[home] = version
    found = ", ".join(f"{version} in {home}" for home, version in seen.items()) or "none"
    raise NotObtainableError(
        f"Java {minimum} or later is needed (found: {found}); "
        "install a JDK of that version, or set ES_JAVA_HOME to the folder of one"
    )


def feature_version(home: Path) -> int | None:
    """Read ``release`` (``JAVA_VERSION="25.0.3"`` is 25, ``"1.8.0_402"`` is 8); None where there is none."""
    try:
        release = (home / "release").read_text()
    except OSError:
        return None
    told = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', release, re.MULTILINE)
    return int(told[1]) if told and (home / "bin" / "java").exists() else None


def _homes() -> Iterator[Path]:
    for name in ("ES_JAVA_HOME", "JAVA_HOME"):
        if os.environ.get(name):
            yield Path(os.environ[name])
    yield from sorted(_INSTALLED.glob("*"), key=lambda home: feature_version(home) or 0, reverse=True)
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path).resolve().parent.parent
