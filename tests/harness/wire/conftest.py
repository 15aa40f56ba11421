from __future__ import annotations

import pytest

from tests.harness.wire import streams


@pytest.fixture(scope="session")
def read() -> streams.Reader:
    return streams.read
