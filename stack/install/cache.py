"""The cache of installed components: made once under a lock, and there as a whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_log = logging.getLogger(__name__)


def cache_root() -> Path:
    """Return ``stack/`` under ``$TIDEGATE_CACHE``, else under ``~/.cache/tidegate``."""
    root = Path(os.environ.get("TIDEGATE_CACHE") or Path.home() / ".cache" / "tidegate")
    return root / "stack"


def content_key(*parts: bytes) -> str:
    """Return 12 hex digits that stand for these inputs: another input is another folder."""
    digest = hashlib.blake2b(digest_size=6)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """Return the cache's folder of that name; where it is missing, let ``make`` fill it first.

    Two processes do not make the same folder: the second waits for the first. What ``make`` leaves behind
    when it raises, or when its process is killed, is never taken for the finished folder.
    """
    folder = cache_root() / name
    if folder.is_dir():
        return folder
    with locked(name):
        if not folder.is_dir():
            _log.info("installing %s (once; a build takes minutes)", name)
            _fill(folder, make)
    return folder


def _fill(folder: Path, make: Callable[[Path], None]) -> None:
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a process that was killed: we hold its lock now
    part.mkdir(parents=True)
    try:
        make(part)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the cache's lock of that name; the kernel lets go of it however the process ends."""
    cache_root().mkdir(parents=True, exist_ok=True)
    with (cache_root() / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
