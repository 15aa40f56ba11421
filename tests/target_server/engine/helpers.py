"""What several engine tests share: submissions, reading a stream, and an observer that remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from target_server.engine.protocol import SamplingParams, Stream, Submission, TokenDelta


def ask(prompt: str = "one two", request_id: str = "r", **params: Any) -> Submission:
    return Submission(request_id, prompt, None, SamplingParams(**{"max_tokens": 4, **params}))


async def read(stream: Stream) -> list[TokenDelta]:
    return [delta async for delta in stream]


def text_of(deltas: list[TokenDelta]) -> str:
    return "".join(delta.text for delta in deltas)


@dataclass
class Diary:
    """An observer: the names of the calls per request, and the instants."""

    calls: dict[str, list[str]] = field(default_factory=dict)
    instants_ns: dict[str, list[int]] = field(default_factory=dict)
    endings: dict[str, tuple[str, int]] = field(default_factory=dict)
    batch_sizes: list[int] = field(default_factory=list)

    def _note(self, request_id: str, call: str, at_ns: int) -> None:
        self.calls.setdefault(request_id, []).append(call)
        self.instants_ns.setdefault(request_id, []).append(at_ns)

    def on_rejected(self, request_id: str, at_ns: int) -> None:
        self._note(request_id, "rejected", at_ns)

    def on_queued(self, request_id: str, at_ns: int) -> None:
        self._note(request_id, "queued", at_ns)

    def on_started(self, request_id: str, at_ns: int) -> None:
        self._note(request_id, "started", at_ns)

    def on_prefilled(self, request_id: str, prompt_tokens: int, at_ns: int) -> None:
        self._note(request_id, f"prefilled {prompt_tokens}", at_ns)

    def on_first_token(self, request_id: str, at_ns: int) -> None:
        self._note(request_id, "first_token", at_ns)

    def on_finished(self, request_id: str, reason: str, tokens: int, at_ns: int) -> None:
        self._note(request_id, "finished", at_ns)
        self.endings[request_id] = (reason, tokens)

    def on_step(self, batch_size: int, seconds: float) -> None:
        self.batch_sizes.append(batch_size)
