"""Unpack Debian packages into the cache: nothing is installed on the machine itself."""

from __future__ import annotations

import os
from pathlib import Path

from stack.errors import NotObtainableError
from stack.install.cache import content_key, kept
from stack.install.tools import run_tool, tool

_TIMEOUT_SECONDS = 300.0


def unpacked(name: str, packages: tuple[str, ...]) -> Path:
    """Return the folder that holds these packages' files, of the versions that this Debian has."""

    def unpack_all(folder: Path) -> None:
        _download(packages, folder)
        for archive in folder.glob("*.deb"):
            run_tool([tool("dpkg", "this is no Debian"), "-x", str(archive), str(folder)], _TIMEOUT_SECONDS)
            archive.unlink()

    return kept(f"{name}-{content_key(*(package.encode() for package in packages))}", unpack_all)


def library_path(folder: Path) -> str:
    """Return the ``LD_LIBRARY_PATH`` of programs unpacked there."""
    return ":".join(str(path) for path in sorted((folder / "usr" / "lib").glob("*-linux-gnu*")))


def _download(packages: tuple[str, ...], folder: Path) -> None:
    apt = tool("apt-get", f"install {packages[0]} by your system's means")
    # apt would fetch as a user of its own, who may not write into the cache.
    command = [apt, "-q", "-o", "APT::Sandbox::User=root", "download", *packages]
    try:
        run_tool(command, _TIMEOUT_SECONDS, cwd=folder)
    except NotObtainableError:
        if os.geteuid() != 0:
            raise
        run_tool([apt, "-q", "update"], _TIMEOUT_SECONDS)  # a new machine has no lists yet
        run_tool(command, _TIMEOUT_SECONDS, cwd=folder)
