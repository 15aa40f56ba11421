"""What the run ran on: versions, processor and limits, as one JSON object."""

from __future__ import annotations

import os
import platform
import resource
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

_PACKAGES = ("tidegate", "locust", "gevent", "httptools", "numpy", "pyarrow")
_CPU_INFO = Path("/proc/cpuinfo")


def read_environment() -> dict[str, Any]:
    """Return facts that a reader needs to trust or repeat the run; no host names and no paths."""
    files_soft, files_hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "system": f"{platform.system()} {platform.release()}",
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": psutil.virtual_memory().total,
        "open_files_soft": files_soft,
        "open_files_hard": files_hard,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
