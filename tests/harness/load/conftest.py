from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.harness.load import engines, servers


@pytest.fixture
def free_port() -> int:
    return servers.free_port()


@pytest.fixture(params=["native", "portable"])
def bench(request: pytest.FixtureRequest) -> Callable[..., engines.Bench]:
    """Both engines keep the same promises."""
    return partial(engines.bench, native=request.param == "native")
