"""A stand-in for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.observability.elastic.stand_in import StandIn


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    server = StandIn()
    yield server
    server.close()
