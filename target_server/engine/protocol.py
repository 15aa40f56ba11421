"""What every engine accepts, answers and promises; the API is written against this file alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How to choose tokens and when to end.

    ``temperature`` 0 is greedy. ``seed`` None draws a fresh one. ``stop`` strings end the answer before
    their own text. ``ignore_eos`` goes on to ``max_tokens`` whatever the model says.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False


@dataclass(frozen=True, slots=True)
class Submission:
    """One request: exactly one of ``prompt`` (plain text) and ``messages`` (OpenAI chat roles) is given."""

    request_id: str
    prompt: str | None
    messages: tuple[Mapping[str, Any], ...] | None
    params: SamplingParams


@dataclass(frozen=True, slots=True)
class TokenDelta:
    """What came since the last delta.

    ``tokens`` counts the new tokens (several when the reader lagged), ``completion_tokens`` all so far,
    the end-of-sequence token included. ``text`` may be empty in the last delta, which alone carries a
    ``finish_reason``.
    """

    text: str
    tokens: int
    finish_reason: FinishReason | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


class EngineFull(Exception):  # noqa: N818 - reads as a state of the engine, and is answered with 429
    """Slots and queue are taken. ``retry_after_seconds`` is estimated from the measured throughput."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"engine is full; retry after {retry_after_seconds:.1f} s")
        self.retry_after_seconds = retry_after_seconds


class EngineFailed(Exception):  # noqa: N818 - reads as a state of the engine, and is answered with 500
    """The engine could not go on with this request (a step failed, or the engine was stopped)."""


class PromptTooLong(Exception):  # noqa: N818 - reads as a fact about the request, and is answered with 400
    """Prompt and answer together do not fit into one sequence. All numbers are tokens."""

    def __init__(self, prompt_tokens: int, max_tokens: int, max_sequence_length: int) -> None:
        super().__init__(
            f"this model's maximum sequence length is {max_sequence_length} tokens, but "
            f"{prompt_tokens + max_tokens} were requested ({prompt_tokens} in the prompt, "
            f"{max_tokens} for the completion)"
        )
        self.prompt_tokens = prompt_tokens
        self.max_tokens = max_tokens
        self.max_sequence_length = max_sequence_length


@dataclass(frozen=True, slots=True)
class EngineStats:
    """The engine at this moment; ``*_total`` count from the engine's start and never go down."""

    running: int
    waiting: int
    slots: int
    queue_limit: int
    kv_used_share: float
    prefill_tokens_total: int
    decode_tokens_total: int
    steps_total: int
    finished_total: int
    cancelled_total: int
    failed_total: int
    rejected_total: int
    step_failures_total: int


class Stream(Protocol):
    """The answer to one submission. Iterate it once, from the loop that submitted it.

    Iteration ends after the delta with a ``finish_reason``, or at once after ``cancel``. When it ends without
    either, the answer was cut off and the connection should be too. It raises `EngineFailed` when the engine
    could not finish.
    """

    @property
    def request_id(self) -> str:
        """The submission's id."""
        ...

    @property
    def prompt_tokens(self) -> int:
        """Length of the prompt in tokens, known as soon as the submission is accepted."""
        ...

    def __aiter__(self) -> AsyncIterator[TokenDelta]: ...

    async def __anext__(self) -> TokenDelta: ...

    def cancel(self) -> None:
        """Give the slot back at the next step. Harmless after the end, and when called twice."""
        ...


class Engine(Protocol):
    """A source of token streams. All methods are called from one asyncio loop and none of them blocks it."""

    name: str
    """Kind of engine: ``scripted`` or ``torch``."""

    model_id: str
    """The model's name as clients see it."""

    max_sequence_length: int
    """Most tokens of prompt and answer together."""

    @property
    def ready(self) -> bool:
        """True from the end of ``start`` to the beginning of ``stop``."""
        ...

    async def start(self) -> None:
        """Load what is needed and become ready. Raises what the loading raised."""
        ...

    async def stop(self) -> None:
        """End at once: open streams get `EngineFailed`. Draining is the caller's business."""
        ...

    def submit(self, submission: Submission) -> Stream:
        """Queue a request.

        Raises `EngineFull`, `PromptTooLong`, `EngineFailed` when not ready, and ValueError when the messages
        do not fit the model's chat template.
        """
        ...

    def stats(self) -> EngineStats:
        """Counters and levels, without waiting for the engine."""
        ...
