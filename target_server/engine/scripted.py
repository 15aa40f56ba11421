"""The scripted engine: tokens by a written timetable, without torch, for tests and for scale."""

from __future__ import annotations

from collections import deque

from target_server.engine.ledger import Ledger
from target_server.engine.observer import NullObserver, Observer
from target_server.engine.protocol import EngineFailed, EngineFull, EngineStats, PromptTooLong, Submission
from target_server.engine.scripted_stream import ScriptedStream
from target_server.engine.timetable import ScriptedTimetable


class ScriptedEngine:
    """Engine that follows a `ScriptedTimetable`. Of the sampling parameters it looks at the lengths only."""

    name = "scripted"

    def __init__(
        self,
        timetable: ScriptedTimetable | None = None,
        *,
        model_id: str = "scripted",
        observer: Observer | None = None,
    ) -> None:
        self.timetable = timetable or ScriptedTimetable()
        self.model_id = model_id
        self.max_sequence_length = self.timetable.max_sequence_length
        self._ledger = Ledger(observer or NullObserver())
        self._ready = False
        self._running: set[ScriptedStream] = set()
        self._waiting: deque[ScriptedStream] = deque()
        self._accepted = 0

    @property
    def ready(self) -> bool:
        """True from the end of ``start`` to the beginning of ``stop``."""
        return self._ready

    async def start(self) -> None:
        """Become ready."""
        self._ready = True

    async def stop(self) -> None:
        """Fail every open stream."""
        self._ready = False
        for stream in [*self._waiting, *self._running]:
            stream.fail("the engine was stopped")

    def submit(self, submission: Submission) -> ScriptedStream:
        """Begin the request or queue it. Raises `EngineFull`, `PromptTooLong`, `EngineFailed`."""
        if not self._ready:
            raise EngineFailed("the engine is not ready")
        self._refuse_when_full(submission)
        prompt_tokens, max_tokens = _words(submission), submission.params.max_tokens
        if prompt_tokens + max_tokens > self.max_sequence_length:
            raise PromptTooLong(prompt_tokens, max_tokens, self.max_sequence_length)
        self._accepted += 1
        course = self.timetable.course(self._accepted, max_tokens, submission.params.ignore_eos)
        stream = ScriptedStream(
            submission, prompt_tokens, self.timetable, course, ledger=self._ledger, on_end=self._leave
        )
        self._ledger.queued(stream.request_id)
        self._waiting.append(stream)
        self._fill_slots()
        return stream

    def stats(self) -> EngineStats:
        """Return counters and levels."""
        return self._ledger.stats(
            running=len(self._running),
            waiting=len(self._waiting),
            slots=self.timetable.slots,
            queue_limit=self.timetable.queue_limit,
            kv_used_share=len(self._running) / self.timetable.slots,
        )

    def _refuse_when_full(self, submission: Submission) -> None:
        room = self.timetable.slots + self.timetable.queue_limit
        if len(self._running) + len(self._waiting) < room:
            return
        self._ledger.rejected(submission.request_id)
        raise EngineFull(self._ledger.retry_after_seconds(len(self._waiting)))

    def _fill_slots(self) -> None:
        while self._ready and self._waiting and len(self._running) < self.timetable.slots:
            stream = self._waiting.popleft()
            self._running.add(stream)
            stream.begin()

    def _leave(self, stream: ScriptedStream) -> None:
        if stream in self._running:
            self._running.remove(stream)
        else:
            self._waiting.remove(stream)
        self._fill_slots()


def _words(submission: Submission) -> int:
    """Count the prompt's words; a content of several parts counts those with text."""
    if submission.prompt is not None:
        return max(1, len(submission.prompt.split()))
    return max(1, sum(_content_words(message.get("content")) for message in submission.messages or ()))


def _content_words(content: object) -> int:
    if isinstance(content, str):
        return len(content.split())
    if isinstance(content, list):
        return sum(_content_words(part.get("text")) for part in content if isinstance(part, dict))
    return 0
