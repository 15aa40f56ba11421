"""The claims about an exchange, of the core: here the fixture ``read`` is the core's."""

from __future__ import annotations

from tests.harness.wire.test_exchange import *  # noqa: F403
