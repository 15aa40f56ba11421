from __future__ import annotations

import pytest

from tests.harness.core.replay import replay
from tests.harness.wire.streams import Reader


@pytest.fixture(scope="session")
def read() -> Reader:
    return replay
