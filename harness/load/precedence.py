"""Who goes first where a worker's threads, its interpreter and the target share cores.

A sending thread sleeps most of its time and must be let in at once when something is due. But a dozen of
them, all busy, would leave their own interpreter nothing for half a minute: it could not make the next
requests, and its master would take it for dead.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress

_ALONE = -10
_STEP = 1.25
"""How much more of a core each step of niceness takes (Linux's ``sched_prio_to_weight``)."""
_INTERPRETER = -5
_MANY = 3


def nice_of_each(threads: int) -> int:
    """Return the niceness at which so many sending threads together weigh as much as one alone; at most 0."""
    return min(0, _ALONE + round(math.log(threads, _STEP)))


def lift_interpreter(threads: int) -> None:
    """Let the calling thread go before the sending threads where there are many of them, if we may."""
    if threads >= _MANY:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, _INTERPRETER)
