"""One request's answer, from its bytes to its outcome."""

from __future__ import annotations

from collections.abc import Callable

from harness.measure.record import Outcome, RequestRecord, TokenSource
from harness.wire.http import HttpError, ResponseReader
from harness.wire.openai import (
    Answer,
    ProtocolError,
    Usage,
    decode_answer,
    error_type,
    error_type_of_body,
)
from harness.wire.recorded import Recorded
from harness.wire.sse import Event, SseError, SseParser
from harness.wire.template import STRUCTURAL, learn_template

MAX_ERROR_BODY_BYTES = 64 << 10
MAX_ANSWER_BYTES = 64 << 20
_REFUSALS = (429, 503)


class Exchange(ResponseReader, Recorded):
    """The state of one answer. Instants are nanoseconds on the caller's clock.

    Feed it the bytes of each read with the read's instant, and the connection's end. ``outcome`` is None
    until the answer has ended. ``on_gap`` takes every gap between consecutive content chunks; chunks of one
    read are 0 apart, so that a request's gaps always add up to last − first token.
    """

    __slots__ = (
        "_body",
        "_body_bytes",
        "_events",
        "_failure",
        "_now_ns",
        "_on_gap",
        "_prefix",
        "_prefix_len",
        "_sse",
        "_stream",
        "_suffix",
        "_suffix_len",
        "bytes_received",
        "chunks",
        "done",
        "error_type",
        "finish_reason",
        "first_byte_ns",
        "first_token_ns",
        "gaps_ns",
        "last_token_ns",
        "max_gap_ns",
        "outcome",
        "pieces",
        "shared_token_reads",
        "token_reads",
        "usage",
    )

    def __init__(
        self,
        stream: bool,
        on_gap: Callable[[int], object],
        *,
        keep_gaps: bool = False,
        keep_text: bool = False,
    ) -> None:
        super().__init__()
        self._stream = stream
        self._on_gap = on_gap
        self._sse = SseParser()
        self._prefix: bytes | None = None  # None also while the parser is inside an event
        self._suffix = b""
        self._prefix_len = self._suffix_len = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._events = 0
        self._failure: tuple[Outcome, str] | None = None
        self._now_ns = 0
        self.outcome: Outcome | None = None
        self.error_type: str | None = None
        self.first_byte_ns: int | None = None
        self.first_token_ns: int | None = None
        self.last_token_ns: int | None = None
        self.bytes_received = 0
        self.chunks = 0
        self.token_reads = self.shared_token_reads = 0
        self.max_gap_ns = 0
        self.gaps_ns: list[int] | None = [] if keep_gaps else None
        self.pieces: list[str] | None = [] if keep_text else None
        self.done = False
        self.finish_reason: str | None = None
        self.usage: Usage | None = None

    def feed(self, data: bytes, now_ns: int) -> bool:
        """Take the bytes of one read; True when the answer has ended with them."""
        chunks = self.chunks
        ended = self._feed(data, now_ns)
        self.token_reads += self.chunks > chunks
        self.shared_token_reads += self.chunks > chunks + 1
        return ended

    def _feed(self, data: bytes, now_ns: int) -> bool:
        self._now_ns = now_ns
        if self.first_byte_ns is None:
            self.first_byte_ns = now_ns
        self.bytes_received += len(data)
        try:
            self.read(data)
        except HttpError as error:
            self.end(Outcome.MALFORMED, f"http: {error}")
            return True
        if self.complete:
            self._settle()
        return self.outcome is not None

    def eof(self, now_ns: int) -> None:
        """Take the connection's end: the last word on an answer that is still open."""
        self._now_ns = now_ns
        self.read_eof()
        if self.complete:
            self._settle()
        elif self._failure is not None:
            self.end(*self._failure)
        else:
            self.end(Outcome.DISCONNECTED, "eof")

    def end(self, outcome: Outcome, error: str | None = None) -> None:
        """End the answer as ``outcome``: ours (timeout, cancelled, …) or found in the bytes."""
        if self.outcome is None:
            self.outcome, self.error_type = outcome, error
            if outcome is not Outcome.OK and not self.complete:
                self.reusable = False

    def on_body(self, body: bytes) -> None:
        """Take one piece of the body; the common one is a whole event with one piece of text."""
        prefix = self._prefix
        if prefix is not None and body.startswith(prefix) and body.endswith(self._suffix):
            text = body[self._prefix_len : -self._suffix_len]
            if text and len(text.translate(None, STRUCTURAL)) == len(text):
                self._events += 1
                self._count_chunk()
                return
        if self._stream and self.status == 200:
            self._take_events(body)
        else:
            self._keep(body)

    def _count_chunk(self) -> None:
        now_ns = self._now_ns
        if self.last_token_ns is None:
            self.first_token_ns = now_ns
        else:
            gap_ns = now_ns - self.last_token_ns
            self._on_gap(gap_ns)
            if gap_ns > self.max_gap_ns:
                self.max_gap_ns = gap_ns
            if self.gaps_ns is not None:
                self.gaps_ns.append(gap_ns)
        self.last_token_ns = now_ns
        self.chunks += 1

    def _take_events(self, body: bytes) -> None:
        self._body_bytes += len(body)
        try:
            for event in self._sse.feed(body):
                self._take_event(event)
        except SseError as error:
            self.end(Outcome.MALFORMED, f"sse: {error}")
        if not self._sse.idle:
            self._prefix = None

    def _take_event(self, event: Event) -> None:
        self._events += 1
        if self.done or self._failure is not None or self.outcome is not None:
            return
        if event.data == b"[DONE]":
            self.done = True
            self._prefix = None
            return
        try:
            answer = decode_answer(event.data)
        except ProtocolError as error:
            self._prefix = None
            self.end(Outcome.MALFORMED, f"json: {error}"[:80])
            return
        if answer.error is not None or event.event == "error":
            self._prefix = None
            self._failure = (Outcome.HTTP_ERROR, f"stream: {error_type(answer.error)}")
            return
        self._take_answer(answer)
        if event.event is None and self.pieces is None:
            self._learn(event.data, answer)

    def _take_answer(self, answer: Answer) -> None:
        content = answer.content
        if content:
            self._count_chunk()
            if self.pieces is not None:
                self.pieces.append(content)
        self.finish_reason = answer.finish_reason or self.finish_reason
        self.usage = answer.usage or self.usage

    def _learn(self, data: bytes, answer: Answer) -> None:
        if answer.usage is not None or answer.finish_reason is not None or not answer.content:
            return
        template = learn_template(data, answer.content)
        if template is not None:
            self._prefix, self._suffix = template
            self._prefix_len, self._suffix_len = map(len, template)

    def _keep(self, body: bytes) -> None:
        self._body_bytes += len(body)
        failed = self.status != 200
        if self._body_bytes <= (MAX_ERROR_BODY_BYTES if failed else MAX_ANSWER_BYTES):
            self._body.append(body)
        elif not failed:
            self.end(Outcome.MALFORMED, "answer too long")

    def _settle(self) -> None:
        assert self.status is not None
        if self.status != 200:
            named = error_type_of_body(b"".join(self._body)) or f"status {self.status}"
            self.end(Outcome.REJECTED if self.status in _REFUSALS else Outcome.HTTP_ERROR, named)
        elif self._stream:
            self._settle_stream()
        else:
            self._settle_whole()

    def _settle_stream(self) -> None:
        if not self.done and self.outcome is None and self._failure is None:
            self._take_last_event()
        if self._failure is not None:
            self.end(*self._failure)
        elif self._body_bytes and not self._events and not self.done:
            self.end(Outcome.MALFORMED, "not an event stream")
        elif self._body_bytes and not self.done and self.finish_reason is None:
            self.end(Outcome.TRUNCATED, "no [DONE] and no finish reason")
        else:
            self._end_by_content()

    def _take_last_event(self) -> None:
        """Take an event that lacks only its blank line."""
        try:
            for event in self._sse.finish():
                self.done = self.done or event.data.strip() == b"[DONE]"
        except SseError as error:
            self.end(Outcome.MALFORMED, f"sse: {error}")

    def _settle_whole(self) -> None:
        try:
            answer = decode_answer(b"".join(self._body)) if self._body else Answer()
        except ProtocolError as error:
            self.end(Outcome.MALFORMED, f"json: {error}"[:80])
            return
        if answer.error is not None:
            self.end(Outcome.HTTP_ERROR, f"body: {error_type(answer.error)}")
            return
        self._take_answer(answer)
        self._end_by_content()

    def _end_by_content(self) -> None:
        self.end(Outcome.OK if self.chunks else Outcome.EMPTY)

    def _fill_tokens(self, record: RequestRecord) -> None:
        if self.chunks:
            record.output_tokens, record.token_source = self.chunks, TokenSource.CHUNKS
        if self.usage is None:
            return
        if self.usage.completion_tokens is not None:
            record.output_tokens, record.token_source = self.usage.completion_tokens, TokenSource.USAGE
        if self.usage.prompt_tokens is not None:
            record.input_tokens = self.usage.prompt_tokens
        if self.usage.prompt_tokens_details is not None:
            record.cached_tokens = self.usage.prompt_tokens_details.cached_tokens
