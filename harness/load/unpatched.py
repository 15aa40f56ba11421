"""Locust as a library, without its patching of the standard library.

``import locust`` replaces sockets, threads and more for the whole process. Our engine talks to gevent's hub
itself and needs none of that; programs and tests that import us keep the standard library that they know.
"""

from __future__ import annotations

import os

_SWITCH = "LOCUST_SKIP_MONKEY_PATCH"
_before = os.environ.get(_SWITCH)
os.environ[_SWITCH] = "1"
try:
    import gevent
    from locust import runners, stats
    from locust.env import Environment
finally:
    if _before is None:
        del os.environ[_SWITCH]  # a locust that this process starts must patch itself as usual
    else:
        os.environ[_SWITCH] = _before

__all__ = ["LIVENESS_SECONDS", "Environment", "be_patient", "know_the_time", "runners", "stats"]

LIVENESS_SECONDS = 20


def know_the_time() -> None:
    """Let timers count from now. Until its first turn the loop believes that it is still the process's start.

    Without it a ``--run-time`` of 4 s would end at once where the imports took 4 s.
    """
    gevent.get_hub().loop.update_now()


def be_patient() -> None:
    """Let Locust's master wait 20 s for a silent worker (its default: 3 s).

    A worker that froze for some seconds must come back to a running test: its lateness is a finding.
    """
    runners.HEARTBEAT_LIVENESS = LIVENESS_SECONDS
