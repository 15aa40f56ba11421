"""Plain Locust with our engine: ``locust -f harness/load/locustfile.py --host URL --scenario FILE``.

Add ``--headless``, ``--processes N``, or ``--master`` and ``--worker`` as with any locustfile. Locust's user
count has no meaning here: the scenario says when requests are sent. A composition root: Locust finds it by
its path, and nothing imports it.
"""

from __future__ import annotations

import gevent
from locust import User, events, task

from harness.load.locust_plugin import install
from harness.locust_root import LocustRoot

install(events, LocustRoot())


class Schedule(User):  # type: ignore[misc]
    """Locust wants at least one user; the load itself comes from the scenario's schedule."""

    @task  # type: ignore[untyped-decorator]
    def wait_for_the_end(self) -> None:
        """Do nothing, slowly."""
        gevent.sleep(1)
