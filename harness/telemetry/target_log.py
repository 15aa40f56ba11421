"""The target's own log of a run in the store, against what the client knows that the target answered."""

from __future__ import annotations

import time

from harness.measure.records import Records
from harness.scenario.model import Target
from harness.telemetry.completeness import StreamCounts
from harness.telemetry.store import Store
from harness.telemetry.target import tells
from observability.elastic.streams import Stream

SHIPS_LOGS = "tidegate_target_log_entries_total{"
"""A series that a target's page has when it ships its log."""
_PATIENCE_SECONDS = 15.0
_POLL_SECONDS = 0.5


def target_log_counts(store: Store, target: Target, run_id: str, records: Records) -> StreamCounts | None:
    """Return the counts; None where the target ships no log.

    A line is due for each answer whose status was seen. Requests that were sent and whose answer was not seen
    may have one.
    """
    if not tells(target, SHIPS_LOGS):
        return None
    sent = records.pick(records.was_sent)
    seen = int((sent.http_status >= 0).sum())
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (stored := store.stored(Stream.TARGET, run_id) or 0) < seen and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return StreamCounts(seen, acknowledged=stored, stored=stored, unseen=len(sent) - seen)
