import socket
from pathlib import Path

import pytest


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def smollm2_gguf() -> Path:
    """Return the model's GGUF file, fetched once and cached."""
    from target_server.engine.fetch import fetch_gguf

    return fetch_gguf("smollm2-135m")
