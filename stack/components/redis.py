"""Redis, when asked for: the machine's own, or Debian's package unpacked into the cache."""

from __future__ import annotations

import shutil
from pathlib import Path

from stack.install.debian import library_path, unpacked
from stack.native.launch import Launch
from stack.native.site import HOST, Site

VERSION = "7"
PORTS = {"redis": 6379}
FLAGS = ("--maxmemory", "128mb", "--maxmemory-policy", "allkeys-lru")
_PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1")


def install() -> Path:
    """Return the folder whose ``usr/bin`` or ``bin`` holds ``redis-server``."""
    found = shutil.which("redis-server")
    return Path(found).parent.parent if found else unpacked("redis", _PACKAGES) / "usr"


def launch(site: Site) -> Launch:
    """Return how Redis is started: on loopback, its memory bounded."""
    home = install()
    return Launch(
        name="redis",
        command=(
            str(home / "bin" / "redis-server"),
            *("--bind", HOST, "--port", str(site.ports["redis"]), "--dir", str(site.data("redis"))),
            *FLAGS,
        ),
        health=f"tcp://{site.address('redis')}",
        log=site.log("redis"),
        environment={"LD_LIBRARY_PATH": library_path(home.parent)},
    )
