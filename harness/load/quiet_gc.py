"""Keep the garbage collector from stopping the loop while load is on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import gevent

_EVERY_SECONDS = 1.0


def settle() -> None:
    """Collect what is garbage and freeze the rest, before the load: no collection during it walks them."""
    gc.collect()
    gc.freeze()


@contextmanager
def quiet_gc() -> Iterator[None]:
    """Freeze what exists and collect only young objects, once a second.

    A full collection walks every open request, which takes tens of milliseconds with thousands of them. Our
    own objects form no cycles; what the libraries leave behind is young when it dies.
    """
    settle()
    gc.disable()
    greenlet = gevent.spawn(_collect_young)
    try:
        yield
    finally:
        greenlet.kill()
        gc.enable()
        gc.unfreeze()


def _collect_young() -> None:
    while True:
        gevent.sleep(_EVERY_SECONDS)
        gc.collect(1)
