"""The compose stack, where a Docker engine answers: the same as containers, with Grafana and Kibana."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from stack.endpoints import Endpoints
from stack.errors import StackError
from stack.native.state import State, forget_state, write_state
from stack.secrets import SECRETS_FILE, read_secrets, write_secrets

_HERE = Path(__file__).parent
_ANSWER_SECONDS = 10.0
_ENDPOINTS = Endpoints(
    prometheus="http://127.0.0.1:9090",
    otlp_grpc="http://127.0.0.1:4317",
    otlp_http="http://127.0.0.1:4318",
    jaeger="http://127.0.0.1:16686",
    alertmanager="http://127.0.0.1:9093",
    node_exporter="http://127.0.0.1:9100",
    grafana="http://127.0.0.1:3000",
    kibana="http://127.0.0.1:5601",
)
PROFILES = ("core", "elk", "traces")


def answers() -> bool:
    """Return whether a Docker engine answers and its client knows ``compose``."""
    if shutil.which("docker") is None:
        return False
    return all(_succeeds("docker", *words) for words in (("info",), ("compose", "version")))


def up(folder: Path, say: Callable[[str], None]) -> None:
    """Start the containers and wait until they are healthy; raise StackError when they do not come up."""
    write_secrets(folder)
    writer = f"tidegate_writer:{read_secrets(folder)['ELASTIC_WRITER_PASSWORD']}"
    say("starting the containers; their logs: docker compose -p tidegate logs")
    _compose(folder, "up", "--detach", "--wait")
    endpoints = replace(_ENDPOINTS, elasticsearch=f"http://{writer}@127.0.0.1:9200")
    write_state(folder, State(endpoints=endpoints))


def down(folder: Path, say: Callable[[str], None]) -> None:
    """End the containers; their volumes stay."""
    _compose(folder, "down")
    forget_state(folder)
    say("the containers ended; their data stays in volumes")


def command(folder: Path, *words: str) -> list[str]:
    """Return the compose command line for these words."""
    files = ["--file", str(_HERE / "compose.yaml")]
    for file in (_HERE / ".env", folder.absolute() / SECRETS_FILE):
        files += ["--env-file", str(file)]
    profiles = [word for profile in PROFILES for word in ("--profile", profile)]
    return ["docker", "compose", *files, *profiles, *words]


def _compose(folder: Path, *words: str) -> None:
    done = subprocess.run(command(folder, *words), check=False)  # its progress is for the person to see
    if done.returncode != 0:
        raise StackError(f"docker compose {words[0]} ended with code {done.returncode}")


def _succeeds(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True, timeout=_ANSWER_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False
