"""Accept a request into the engine's bounded queue, or refuse it at once with the time to come back."""

from __future__ import annotations

import math

from target_server.engine.protocol import Engine, EngineFull, Stream, Submission

_LEAST_RETRY_SECONDS = 1  # Retry-After has whole seconds, and 0 would invite a client to hammer


class Refused(Exception):  # noqa: N818 - a decision, not a defect
    """There is no room. ``retry_after_seconds`` is a whole number, at least 1."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"the queue is full; retry after {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


def admit(engine: Engine, submission: Submission) -> Stream:
    """Return the answer's stream, or raise `Refused` without waiting.

    Raises what ``Engine.submit`` raises otherwise: `PromptTooLong`, `EngineFailed`.
    """
    try:
        return engine.submit(submission)
    except EngineFull as full:
        raise Refused(whole_retry_seconds(full.retry_after_seconds)) from full


def whole_retry_seconds(estimate_seconds: float) -> int:
    """Round the engine's estimate up to what the header can say."""
    return max(_LEAST_RETRY_SECONDS, math.ceil(estimate_seconds))
