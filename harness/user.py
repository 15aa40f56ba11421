"""``InferenceUser``: users of your own locustfile, recorded, watched and reported like any other run."""

from __future__ import annotations

from typing import ClassVar

from harness.load.live_run import Root
from harness.load.user import ClosedLoopUser, InferenceFailedError
from harness.locust_root import LocustRoot

__all__ = ["InferenceFailedError", "InferenceUser"]


class InferenceUser(ClosedLoopUser):
    """A user that chats: ``self.chat("Hello")`` asks, streams the answer, and returns its text.

    ``host`` is the target's base URL and ``model`` the model's name (default: the first that the target
    lists); ``target_options`` are further fields of a scenario's ``target``, such as ``api_key_env``, and
    ``run_options`` those of the scenario itself: ``slos``, ``slo_files``, ``limits``. Every answer is a
    record with its first token and gaps, due when it was sent: a closed loop has no schedule. The run ends
    with Locust's test, and its folder gets the same report as that of an open loop.
    """

    abstract = True
    root: ClassVar[Root] = LocustRoot()
