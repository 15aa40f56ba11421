"""Get one file from a Maven repository and hold it to its sum."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from stack.errors import NotObtainableError
from stack.install.tools import run_tool, tool

_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_TIMEOUT_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of a Maven repository: its coordinates and the SHA-256 that it must have."""

    group: str
    name: str
    version: str
    packaging: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Return the name under which the client leaves it."""
        return f"{self.name}-{self.version}.{self.packaging}"


def download(artifact: Artifact, folder: Path) -> Path:
    """Leave the artifact in the folder and return its file; raise NotObtainableError when it is another."""
    maven = tool("mvn", "install Maven (Debian: apt-get install maven)")
    coordinates = f"{artifact.group}:{artifact.name}:{artifact.version}:{artifact.packaging}"
    run_tool(
        [maven, "-q", "-B", _COPY, f"-Dartifact={coordinates}", f"-DoutputDirectory={folder}"],
        _TIMEOUT_SECONDS,
        cwd=folder,  # a pom.xml where the user stands is none of ours
    )
    file = folder / artifact.file_name
    _hold_to_sum(file, artifact.sha256)
    return file


def _hold_to_sum(file: Path, sha256: str) -> None:
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise NotObtainableError(f"{file.name} has the SHA-256 {found}, not {sha256}: it is not used")
