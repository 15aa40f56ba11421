from __future__ import annotations

import pytest

from tests.harness.load import servers


@pytest.fixture
def free_port() -> int:
    return servers.free_port()
