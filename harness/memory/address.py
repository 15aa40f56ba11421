"""Whether a run is told to Elasticsearch, and to which: what was asked for, else the stack that runs here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.shipped import RunTeller
    from harness.telemetry.store import Store

OFF = "off"
_NEEDS_EXTRA = "Elasticsearch takes tidegate's extra: pip install 'tidegate[stack]'"


def teller_for(asked: str | None, running: str | None, note: Callable[[str], None]) -> RunTeller | None:
    """Return what tells runs to a store, or None for none.

    ``asked`` is a URL, ``off`` or None; ``running`` is where the stack of this folder has its Elasticsearch.
    Raise StoreUnreachableError when the one that was asked for does not answer; of one that only was found
    here, ``note`` tells, and runs go on without.
    """
    url = asked or running
    if url is None or url == OFF:
        return None
    from harness.telemetry.store import StoreUnreachableError

    try:
        store = open_store(url)
    except StoreUnreachableError as error:
        if asked:
            raise
        note(f"runs are not told to the stack's Elasticsearch: {error}")
        return None
    from harness.shipped import RunTeller

    return RunTeller(store)


def open_store(url: str | None) -> Store:
    """Return the store at a URL. Raise UsageError where none is known, StoreUnreachableError for silence."""
    if url is None or url == OFF:
        raise UsageError(
            "no Elasticsearch is known: give --elasticsearch URL, or start one by `tidegate stack up`"
        )
    try:
        from harness.telemetry.store import Store
    except ModuleNotFoundError as error:
        raise UsageError(f"{_NEEDS_EXTRA} ({error})") from None
    return Store(url)
