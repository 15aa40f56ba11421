"""One writer and one reader a spool: a lock of the kernel's, which ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class SpoolBusyError(OSError):
    """Another process writes or reads this spool."""


class FolderLock:
    """Holds ``folder/<role>.lock`` until ``release`` or the end of the process, however that comes."""

    def __init__(self, folder: Path, role: str) -> None:
        """Raise SpoolBusyError when it is held."""
        self._handle = os.open(folder / f"{role}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            raise SpoolBusyError(f"{folder}: this spool has a {role} already") from None

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._handle)
