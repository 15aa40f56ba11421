"""The fields of OpenAI's two generation requests: what is known, of which type, within which bounds.

A field that is not listed is refused. A field of OpenAI's that this server cannot honour is listed with the
values that ask for nothing, because clients send them unasked.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

NonEmpty = Annotated[str, Meta(min_length=1)]
Positive = Annotated[int, Meta(ge=1)]
StopStrings = Annotated[list[NonEmpty], Meta(max_length=4)]


class StreamOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``include_usage`` adds one last chunk with the token counts."""

    include_usage: bool | None = None


class Generation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What chat and completions have in common."""

    model: str
    max_tokens: Positive | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: NonEmpty | StopStrings | None = None
    ignore_eos: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    n: Any = None
    logprobs: Any = None
    logit_bias: Any = None
    presence_penalty: Any = None
    frequency_penalty: Any = None


class TextPart(Struct, frozen=True, forbid_unknown_fields=True, tag="text"):
    """One part of a message's content; other kinds (images, sound) are refused by their ``type``."""

    text: str


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None


class ChatRequest(Generation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /v1/chat/completions``."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    max_completion_tokens: Positive | None = None
    top_logprobs: Any = None
    response_format: Any = None
    tools: Any = None
    tool_choice: Any = None
    parallel_tool_calls: Any = None
    store: Any = None


class CompletionRequest(Generation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /v1/completions``. A list may hold one prompt."""

    prompt: str | Annotated[list[str], Meta(min_length=1, max_length=1)]
    best_of: Any = None
    echo: Any = None
    suffix: Any = None


# field -> the values that ask for nothing (null always does)
NEUTRAL_VALUES: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "logprobs": (False,),
    "top_logprobs": (),
    "logit_bias": ({},),
    "presence_penalty": (0, 0.0),
    "frequency_penalty": (0, 0.0),
    "response_format": ({"type": "text"},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "store": (False,),
    "echo": (False,),
    "suffix": ("",),
}
