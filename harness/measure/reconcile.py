"""The client's counts against the server's: did both see the same run?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.measure.record import Outcome
from harness.measure.records import Records
from harness.measure.summary import Reconciliation
from harness.measure.timings import Mask

# Sent, but the client cannot know whether the server finished them.
_UNSEEN = (
    Outcome.TIMEOUT,
    Outcome.DISCONNECTED,
    Outcome.TRUNCATED,
    Outcome.MALFORMED,
    Outcome.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """What the server's own counters moved by over the run. None: it has no such counter.

    ``kind`` names the server (tidegate, vllm, llamacpp, ...). ``requests`` counts answers that it finished,
    without refusals and errors. ``output_tokens`` counts generated tokens, also those of unfinished answers.
    """

    kind: str
    requests: int | None
    output_tokens: int | None


def reconcile(records: Records, server: ServerCounts) -> Reconciliation:
    """Compare the counts; the server may have the client's plus at most what the client missed."""
    seen = records.ended_as(Outcome.OK, Outcome.EMPTY)
    unseen = records.ended_as(*_UNSEEN) & records.was_sent
    requests, unseen_requests = int(seen.sum()), int(unseen.sum())
    tokens = int(records.output_tokens[seen].sum(dtype=np.int64))
    unseen_tokens = _unseen_tokens(records, seen, unseen)
    return Reconciliation(
        kind=server.kind,
        client_requests=requests,
        server_requests=server.requests,
        unseen_requests=unseen_requests,
        requests_agree=_agree(server.requests, requests, unseen_requests),
        client_output_tokens=tokens,
        server_output_tokens=server.output_tokens,
        unseen_output_tokens=unseen_tokens,
        output_tokens_agree=_agree(server.output_tokens, tokens, unseen_tokens),
    )


def _unseen_tokens(records: Records, seen: Mask, unseen: Mask) -> int:
    """Return the most tokens that the server can have made beyond those that the client counted.

    That is all of an answer whose end was not seen, and what chunks may hide where no usage was sent.
    """
    guessed = seen & ~records.counted_by_usage
    hidden = np.maximum(records.max_tokens - records.output_tokens, 0)[guessed].sum(dtype=np.int64)
    return int(records.max_tokens[unseen].sum(dtype=np.int64) + hidden)


def _agree(server: int | None, client: int, unseen: int) -> bool | None:
    return None if server is None else client <= server <= client + unseen
