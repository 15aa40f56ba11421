"""One scripted answer, read from the clock.

Nothing is computed ahead: whoever reads gets every token that is due by then, so that a lagging reader costs
nothing. A running request has a timer of its own, for its first token and then for its end, because a slot is
freed by the timetable and not by the reader.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from target_server.engine.ledger import Ledger
from target_server.engine.observer import EndReason
from target_server.engine.protocol import EngineFailed, FinishReason, Submission, TokenDelta
from target_server.engine.timetable import Course, ScriptedTimetable

_WORDS = (
    "the ",
    "tide ",
    "comes ",
    "in ",
    "and ",
    "opens ",
    "every ",
    "gate ",
    "then ",
    "it ",
    "goes ",
    "out ",
)


class ScriptedStream:
    """Tokens of one request, from ``begin`` on."""

    __slots__ = (
        "_begun_at",
        "_course",
        "_delivered",
        "_error",
        "_finish",
        "_first_token_booked",
        "_ledger",
        "_loop",
        "_on_end",
        "_produced",
        "_read_to_the_end",
        "_timer",
        "_timetable",
        "_wake",
        "prompt_tokens",
        "request_id",
    )

    def __init__(
        self,
        submission: Submission,
        prompt_tokens: int,
        timetable: ScriptedTimetable,
        course: Course,
        *,
        ledger: Ledger,
        on_end: Callable[[ScriptedStream], None],
    ) -> None:
        self.request_id = submission.request_id
        self.prompt_tokens = prompt_tokens
        self._timetable = timetable
        self._course = course
        self._finish: FinishReason = "length" if course.tokens >= submission.params.max_tokens else "stop"
        self._ledger = ledger
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._begun_at: float | None = None
        self._first_token_booked = False
        self._produced: int | None = None  # set by the end
        self._timer: asyncio.TimerHandle | None = None
        self._delivered = 0
        self._error: str | None = None
        self._read_to_the_end = False
        self._wake: asyncio.Future[None] | None = None

    def __aiter__(self) -> ScriptedStream:
        return self

    async def __anext__(self) -> TokenDelta:
        while not self._read_to_the_end:
            due = self._due_tokens()
            if due > self._delivered:
                return self._delta(due)
            if self._produced is None:
                await self._next_change()
                continue
            self._read_to_the_end = True
            if self._error is not None:
                raise EngineFailed(self._error)
        raise StopAsyncIteration

    def begin(self) -> None:
        """Take the slot: the timetable counts from here."""
        self._begun_at = self._loop.time()
        self._ledger.started(self.request_id)
        if self._course.tokens:
            self._timer = self._at(0, self._begin_answer)
        else:
            self._await_end()
        self._wake_reader()

    def cancel(self) -> None:
        """Give the slot back now."""
        self._read_to_the_end = True
        self._end("cancelled", self._due_tokens())

    def fail(self, why: str) -> None:
        """End with `EngineFailed` now, after the tokens that have come."""
        if self._produced is None:
            self._error = why
            self._end("failed", self._due_tokens())

    def _begin_answer(self) -> None:
        self._book_first_token()
        self._await_end()

    def _await_end(self) -> None:
        """Free the slot when the last token has come; a fault strikes when the next one would have.

        An end that is due already comes before the reader can read to it: who ends first says how it ended.
        """
        last = self._course.tokens - (self._course.ending == "finish")
        if self._timetable.due_seconds(last) <= self._elapsed_seconds():
            self._end_by_the_timetable()
        else:
            self._timer = self._at(last, self._end_by_the_timetable)

    def _end_by_the_timetable(self) -> None:
        if self._course.ending == "finish":
            self._end(self._finish, self._course.tokens)
            return
        if self._course.ending == "error":
            self._error = "the timetable says that this request fails"
        self._end("failed", self._course.tokens)

    def _end(self, reason: EndReason, produced: int) -> None:
        if self._produced is not None:
            return
        if produced:
            self._book_first_token()
        self._produced = produced
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._ledger.computed(prefill_tokens=0, decode_tokens=produced)
        self._ledger.ended(self.request_id, reason, produced)
        self._on_end(self)
        self._wake_reader()

    def _book_first_token(self) -> None:
        if not self._first_token_booked:
            self._first_token_booked = True
            self._ledger.computed(prefill_tokens=self.prompt_tokens, decode_tokens=0)
            self._ledger.first_token(self.request_id, self.prompt_tokens)

    def _due_tokens(self) -> int:
        """Return how many tokens have come by now."""
        if self._produced is not None:
            return self._produced
        if self._begun_at is None:
            return 0
        elapsed, due = self._elapsed_seconds(), self._delivered
        while due < self._course.tokens and self._timetable.due_seconds(due) <= elapsed:
            due += 1
        return due

    def _elapsed_seconds(self) -> float:
        """Return how long the request has had its slot."""
        return 0.0 if self._begun_at is None else self._loop.time() - self._begun_at

    def _delta(self, due: int) -> TokenDelta:
        text = "".join(_WORDS[i % len(_WORDS)] for i in range(self._delivered, due))
        new, self._delivered = due - self._delivered, due
        done = due == self._course.tokens and self._course.ending == "finish"
        self._read_to_the_end = done
        return TokenDelta(text, new, self._finish if done else None, self.prompt_tokens, due)

    async def _next_change(self) -> None:
        """Wait for the next token, the slot, the end or a cancel, whichever is first."""
        self._wake = self._loop.create_future()
        more = self._begun_at is not None and self._delivered < self._course.tokens
        timer = self._at(self._delivered, self._wake_reader) if more else None
        try:
            await self._wake
        finally:
            self._wake = None
            if timer is not None:
                timer.cancel()

    def _wake_reader(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _at(self, token: int, call: Callable[[], None]) -> asyncio.TimerHandle:
        begun_at = self._begun_at if self._begun_at is not None else self._loop.time()
        return self._loop.call_at(begun_at + self._timetable.due_seconds(token), call)
